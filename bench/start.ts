/**
 * How fast does a node start, how fast does it grow, and what does an idle slot hold? Each against the bare runtime: a
 * process with workers of an empty module, without hosts between them.
 *
 * @module
 */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { setTimeout as rest } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { contestant } from "./contestant.ts";
import { memory } from "./processes.ts";
import { median, type Question, rounded, type Row, spread } from "./question.ts";
import { commandOf, type Runtime } from "./runtimes.ts";
import type { Site } from "./site.ts";

const SLOTS = 4;
const MOST = 60;
const BARE_START = fileURLToPath(new URL("./start/bare_start.mjs", import.meta.url));

/** Measurements by name, one of each a round. */
type Measured = Record<string, number[]>;

export default {
  question:
    `milliseconds to start (a node with ${SLOTS} slots; one slot; ${MOST}), and MB of a slot, against the ` +
    "bare runtime",
  async run(site) {
    const answers: Partial<Record<Runtime, Row[]>> = {};
    for (const runtime of site.runtimes) answers[runtime] = await measure(site, runtime);
    return answers;
  },
} satisfies Question;

async function measure(site: Site, runtime: Runtime): Promise<Row[]> {
  const url = await site.database();
  const [ours, bare]: [Measured, Measured] = [{}, {}];
  // Not counted: it migrates, and fills the caches of the disk and of the compiler.
  for (let round = 0; round <= (site.quick ? 3 : 7); round++) {
    const [a, b] = round === 0 ? [{}, {}] : [ours, bare];
    await nodeStart(a, site, url, runtime);
    await bareStart(b, runtime);
    for (const [measured, module] of [[a, "./start/slots.ts"], [b, "./start/bare.ts"]] as const) {
      const four = await few(measured, runtime, module);
      await many(measured, runtime, module, four);
    }
    if (round > 0) site.tell(`${runtime}: round ${round}`);
  }
  return [rowOf("edge-dispatcher", ours, bare), rowOf("bare", bare, bare)];
}

async function nodeStart(into: Measured, site: Site, url: string, runtime: Runtime): Promise<void> {
  const began = performance.now();
  const node = await site.node(url, "start", SLOTS, runtime);
  note(into, "start_ms", performance.now() - began);
  await node.stop();
}

async function bareStart(into: Measured, runtime: Runtime): Promise<void> {
  const [file, ...args] = commandOf(runtime);
  const began = performance.now();
  const child = spawn(file, [...args, BARE_START], { stdio: ["ignore", "pipe", "inherit"] });
  await once(child.stdout, "data");
  note(into, "start_ms", performance.now() - began);
  child.kill("SIGKILL");
  await once(child, "exit");
}

/** The fifth begins a new host where there are hosts, the sixth finds room in it. Returns the memory of four. */
async function few(into: Measured, runtime: Runtime, module: string): Promise<Held> {
  const program = contestant(runtime, module, { most: MOST });
  await program.ask("grow", { to: SLOTS });
  const held = await heldBy(program.pid);
  note(into, "slot_and_host_ms", (await program.ask("grow", { to: SLOTS + 1 })).ms);
  note(into, "slot_ms", (await program.ask("grow", { to: SLOTS + 2 })).ms);
  await program.end();
  return held;
}

async function many(into: Measured, runtime: Runtime, module: string, four: Held): Promise<void> {
  const program = contestant(runtime, module, { most: MOST });
  note(into, `${MOST}_slots_ms`, (await program.ask("grow", { to: MOST })).ms);
  const held = await heldBy(program.pid);
  await program.end();
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
