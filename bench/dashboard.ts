/**
 * What does it cost a node that people look at its dashboard? A backlog in a queue that is paused; the watchers come;
 * the clock runs from the moment it is resumed until all is done. Those who watch are a process of their own on the
 * same machine, which reads what is sent and draws nothing.
 *
 * @module
 */
import { connect } from "../mod.ts";
import type { Actor } from "./processes.ts";
import { OURS, type Question, rounded, type Row, spread, withRatio } from "./question.ts";
import { takeTurns } from "./rounds.ts";
import type { Site } from "./site.ts";
import { freePort } from "./free_port.ts";

/** Nobody; 50 who look at the overview, as an operations room would; 50 programs that read the same as JSON. */
const WATCHING = [
  { watchers: 0, path: "" },
  { watchers: 50, path: "/live?page=/" },
  { watchers: 50, path: "/api/live" },
];
const QUEUE = "default";

interface Measured {
  perSecond: number;
  events: number;
  kilobytes: number;
}

async function measure(site: Site, { watchers, path }: (typeof WATCHING)[number]): Promise<Measured> {
  const count = site.quick ? 20_000 : 100_000;
  const url = await site.database();
  const publisher = site.actor("peers/actor.ts", { peer: "ours", url });
  await publisher.call("prepare");
  const client = await connect({ databaseUrl: url });
  await client.pauseQueue(QUEUE);
  await publisher.call("fill", { task: "noop", count });
  await site.settle(url);
  const http = `127.0.0.1:${await freePort()}`;
  const node = await site.node(url, "watched", { http });
  const audience: Actor | undefined = watchers > 0
    ? site.actor("watchers.ts", { url: `http://${http}${path}`, count: watchers })
    : undefined;
  await audience?.call("open");
  const began = performance.now();
  await client.resumeQueue(QUEUE);
  await publisher.call("drained");
  const seconds = (performance.now() - began) / 1_000;
  const { events, bytes } = await audience?.call<{ events: number; bytes: number }>("read") ??
    { events: 0, bytes: 0 };
  await client.close();
  await Promise.all([audience?.stop(), publisher.stop(), node.stop()]);
  await site.drop(url);
  site.tell(`${watchers} watch ${path}: ${rounded(count / seconds)}/s`);
  return { perSecond: count / seconds, events, kilobytes: bytes / 1_024 };
}

export default {
  question: "no-op tasks/s of one node while 50 look at its dashboard, and while nobody does",
  async run(site) {
    const measured = await takeTurns(site, WATCHING, (one) => measure(site, one));
    const rows = WATCHING.map((one): Row => {
      const rounds = measured.get(one)!;
      return {
        peer: OURS,
        watchers: one.watchers,
        path: one.path,
        ...spread("per_second", rounds.map(({ perSecond }) => perSecond)),
        ...spread("events_read", rounds.map(({ events }) => events)),
        ...spread("kilobytes_read", rounds.map(({ kilobytes }) => kilobytes)),
      };
    });
    return { [site.runtime]: withRatio(rows, "per_second") };
  },
} satisfies Question;
