/**
 * Those who are measured: a queue, where it keeps its state, and how its workers are started.
 *
 * @module
 */
import { type Runtime, runtimes } from "../tests/harness/runtimes.ts";
import type { Settings } from "./peers/peer.ts";
import type { Actor } from "./processes.ts";
import { OURS } from "./question.ts";
import type { Site } from "./site.ts";

/** A worker process. */
export interface Worker {
  stop(): Promise<void>;
}

/** An empty queue of a contender, with somebody who publishes to it. */
export interface Place {
  readonly publisher: Actor;
  /** Start workers; resolves when they run. */
  worker(settings?: Settings): Promise<Worker>;
  /** One more who publishes. */
  another(): Actor;
  /** Bring the database to rest. */
  settle(): Promise<void>;
  /** End the processes and remove the data. */
  clear(): Promise<void>;
}

/** One of those who take turns. */
export interface Contender {
  readonly peer: string;
  /** What its workers run on. */
  readonly runtime: Runtime;
  place(): Promise<Place>;
}

/** Our node on a runtime, with four slots and its defaults otherwise. */
export function ours(site: Site, runtime: Runtime = site.runtime): Contender {
  return contender(site, OURS, "ours", runtime);
}

/** Ours on each runtime that is there, Node first. */
export function oursOnEach(site: Site): Contender[] {
  return (["node", "deno", "bun"] as const).filter((name) => runtimes()[name]).map((name) =>
    ours(site, name)
  );
}

/** All others, on Node. */
export function peers(site: Site): Contender[] {
  return [contender(site, "graphile-worker", "graphile")];
}

function contender(site: Site, peer: string, module: string, runtime: Runtime = "node"): Contender {
  return {
    peer,
    runtime,
    async place() {
      const url = await site.database();
      const running = new Set<Worker>();
      const actor = () => {
        const started = site.actor(module, url);
        running.add(started);
        return started;
      };
      const publisher = actor();
      await publisher.call("prepare");
      let nodes = 0;
      return {
        publisher,
        another: actor,
        async worker(settings = {}) {
          if (module === "ours") {
            const node = await site.node(url, `node-${++nodes}`, { runtime, ...settings });
            running.add(node);
            return node;
          }
          const worker = actor();
          await worker.call("work", settings);
          return worker;
        },
        settle: () => site.settle(url),
        async clear() {
          await Promise.all([...running].map((each) => each.stop()));
          await site.drop(url);
        },
      };
    },
  };
}
