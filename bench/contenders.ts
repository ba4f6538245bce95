/**
 * Those who are measured: a queue, where it keeps its state, and how its workers are started.
 *
 * @module
 */
import { needs, type Runtime } from "../tests/harness/runtimes.ts";
import type { Settings } from "./peers/peer.ts";
import type { Actor, Process } from "./processes.ts";
import { OURS } from "./question.ts";
import type { Site } from "./site.ts";

/** A worker process. */
export interface Worker {
  /** What the tasks `stamp` have taken. */
  stamps(): Promise<number[]>;
}

/** An empty queue of a contender, with somebody who publishes to it. */
export interface Place {
  readonly publisher: Actor;
  /**
   * Start a worker; resolves when it runs.
   *
   * @param options.idle It only listens: what is published is for others.
   */
  worker(settings?: Settings, options?: { idle?: boolean }): Promise<Worker>;
  /** One more who publishes. */
  another(): Promise<Actor>;
  /** Resolves when all that its publisher has published is done; rejects when a process ends before. */
  drained(): Promise<void>;
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
  /** @param settings Of the queue. */
  place(settings?: Settings): Promise<Place>;
}

/** Our node on a runtime, with four slots and its defaults otherwise. */
export function ours(site: Site, runtime: Runtime = site.runtime): Contender {
  return contender(site, { peer: OURS, module: "ours", runtime });
}

/** Ours on each runtime that is asked for, Node first. */
export function oursOnEach(site: Site): Contender[] {
  return site.runtimes.map((runtime) => ours(site, runtime));
}

/** Those of the others that keep their state in the same PostgreSQL, on Node. */
export function peersOnPostgres(site: Site): Contender[] {
  return [
    graphile(site),
    contender(site, { peer: "pg-boss", module: "pg_boss" }),
    contender(site, { peer: "bullmq (PostgreSQL)", module: "bullmq" }),
  ];
}

export function graphile(site: Site): Contender {
  return contender(site, { peer: "graphile-worker", module: "graphile" });
}

/** What no queue on PostgreSQL can be faster than. */
export function floor(site: Site): Contender {
  return contender(site, { peer: "insert, then a NOTIFY that comes back", module: "floor" });
}

/** All others, on Node. */
export function peers(site: Site): Contender[] {
  const without = needs("redis-server");
  if (without) site.tell(`bullmq (Redis) is left out: ${without}`);
  const onRedis = contender(site, { peer: "bullmq (Redis)", module: "bullmq", storage: redis });
  return [...peersOnPostgres(site), ...without ? [] : [onRedis]];
}

/** Where a queue keeps its state. */
interface Storage {
  url: string;
  settle(): Promise<void>;
  remove(): Promise<void>;
}

async function postgres(site: Site): Promise<Storage> {
  const url = await site.database();
  return { url, settle: () => site.settle(url), remove: () => site.drop(url) };
}

async function redis(site: Site): Promise<Storage> {
  const { url, stop } = await site.redis();
  return { url, settle: () => Promise.resolve(), remove: stop };
}

type Parts = { peer: string; module: string; runtime?: Runtime; storage?: typeof postgres };

function contender(site: Site, { peer, module, runtime = "node", storage = postgres }: Parts): Contender {
  return {
    peer,
    runtime,
    async place(queueSettings = {}) {
      const { url, settle, remove } = await storage(site);
      const running = new Set<Process | Actor>();
      const broken = Promise.withResolvers<never>();
      const watch = (process: Process | Actor) => void process.ended().catch(broken.reject);
      // Looked at by whoever waits; at the end everything is ended.
      broken.promise.catch(() => {});
      const actor = async () => {
        const started = site.actor(
          "peers/actor.ts",
          { peer: module, url },
          module === "ours" ? runtime : "node",
        );
        running.add(started);
        watch(started);
        await started.call("prepare", queueSettings);
        return started;
      };
      const publisher = await actor();
      let nodes = 0;
      return {
        publisher,
        another: actor,
        async worker(settings = {}, { idle = false } = {}) {
          if (module === "ours") {
            const queues = idle ? "another" : "default";
            const node = await site.node(url, `node-${++nodes}`, { runtime, queues });
            running.add(node);
            watch(node);
            return { stamps: () => publisher.call("stamps") };
          }
          const worker = await actor();
          await worker.call("work", settings, idle);
          return { stamps: () => worker.call("stamps") };
        },
        drained: () => Promise.race([publisher.call("drained"), broken.promise]),
        settle,
        async clear() {
          await Promise.all([...running].map((each) => each.stop()));
          await remove();
        },
      };
    },
  };
}
