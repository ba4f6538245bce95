/**
 * How fast does a node start, how fast does it grow, and what does an idle slot hold? Each against the bare runtime: a
 * process with workers of an empty module, without hosts between them.
 *
 * @module
 */
import { setTimeout as rest } from "node:timers/promises";
import type { Runtime } from "../tests/harness/runtimes.ts";
import { memory } from "./proc.ts";
import type { Actor } from "./processes.ts";
import { type Answer, median, OURS, type Question, rounded, type Row, spread } from "./question.ts";
import type { Site } from "./site.ts";

const SLOTS = 4;
const MOST = 60;

/** Measurements by name, one of each a round. */
type Measured = Record<string, number[]>;

export default {
  question:
    `milliseconds to start (a node with ${SLOTS} slots; one slot; ${MOST}), and MB of a slot, against the ` +
    "bare runtime",
  async run(site) {
    const answer: Answer = {};
    for (const runtime of site.runtimes) answer[runtime] = await measure(site, runtime);
    return answer;
  },
} satisfies Question;

async function measure(site: Site, runtime: Runtime): Promise<Row[]> {
  const url = await site.database();
  const [ours, bare]: [Measured, Measured] = [{}, {}];
  // Not counted: it migrates, and fills the caches of the disk and of the compiler.
  for (let round = 0; round <= (site.quick ? 3 : 7); round++) {
    const [a, b] = round === 0 ? [{}, {}] : [ours, bare];
    await nodeStart(a, site, url, runtime);
    await bareStart(b, site, runtime);
    for (const [measured, module] of [[a, "start/slots.ts"], [b, "start/bare.ts"]] as const) {
      const open = () => site.actor(module, { most: MOST }, runtime);
      const four = await few(measured, open());
      await many(measured, open(), four);
    }
    if (round > 0) site.tell(`${runtime}: round ${round}`);
  }
  await site.drop(url);
  return [rowOf(OURS, ours, bare), rowOf("bare", bare, bare)];
}

async function nodeStart(into: Measured, site: Site, url: string, runtime: Runtime): Promise<void> {
  const began = performance.now();
  const node = await site.node(url, "start", { runtime, slots: SLOTS });
  note(into, "start_ms", performance.now() - began);
  await node.stop();
}

async function bareStart(into: Measured, site: Site, runtime: Runtime): Promise<void> {
  const began = performance.now();
  const bare = await site.start("start/bare_start.mjs", runtime);
  note(into, "start_ms", performance.now() - began);
  await bare.stop("SIGKILL");
}

/** The fifth begins a new host where there are hosts, the sixth finds room in it. Returns the memory of four. */
async function few(into: Measured, slots: Actor): Promise<Held> {
  await slots.call("grow", SLOTS);
  const held = await heldBy(slots.pid);
  note(into, "slot_and_host_ms", await slots.call<number>("grow", SLOTS + 1));
  note(into, "slot_ms", await slots.call<number>("grow", SLOTS + 2));
  await slots.stop();
  return held;
}

async function many(into: Measured, slots: Actor, four: Held): Promise<void> {
  note(into, `${MOST}_slots_ms`, await slots.call<number>("grow", MOST));
  const held = await heldBy(slots.pid);
  await slots.stop();
  note(into, `${MOST}_slots_rss_mb`, held.rss);
  note(into, `${MOST}_slots_pss_mb`, held.pss);
  note(into, "slot_rss_mb", (held.rss - four.rss) / (MOST - SLOTS));
  note(into, "slot_pss_mb", (held.pss - four.pss) / (MOST - SLOTS));
}

interface Held {
  rss: number;
  pss: number;
}

/** Of a process and its hosts; pages that processes share count once in `pss` and in each of them in `rss`. */
async function heldBy(pid: number): Promise<Held> {
  await rest(1_000);
  const all = memory(pid);
  const sum = (of: (one: Held) => number) => all.reduce((total, one) => total + of(one), 0);
  return { rss: sum(({ rss }) => rss), pss: sum(({ pss }) => pss) };
}

function note(into: Measured, name: string, value: number): void {
  (into[name] ??= []).push(value);
}

function rowOf(peer: string, measured: Measured, bare: Measured): Row {
  const row: Row = { peer };
  for (const [name, values] of Object.entries(measured)) {
    Object.assign(row, spread(name, values));
    row[`${name}_over_bare`] = rounded(median(values) / median(bare[name]));
  }
  return row;
}
