/**
 * A chaos run: a server, three nodes, publishers; what the plan says is broken and mended; then everything must come to
 * its end, and the database is asked whether all laws held.
 *
 * @module
 */
import { join } from "node:path";
import { setTimeout as rest } from "node:timers/promises";
import postgres from "postgres";
import { connect } from "../../mod.ts";
import type { Runtime } from "../harness/runtimes.ts";
import { tempDir } from "../harness/temp_dir.ts";
import * as read from "./evidence.ts";
import type { Evidence } from "./evidence.ts";
import { inject, isOutage, type Scene } from "./faults.ts";
import { ChaosNode } from "./fleet.ts";
import { LAWS } from "./invariants.ts";
import { Load } from "./load.ts";
import { judge, LOG_LAWS } from "./log_laws.ts";
import { planOf, sayFault, type Step } from "./plan.ts";
import { TcpProxy } from "../harness/tcp_proxy.ts";
import { OwnServer } from "./server.ts";
import { TIMES } from "./fleet.ts";

export interface ChaosOptions {
  seed: number;
  /** How long things are broken, in milliseconds. */
  ms: number;
  /** The runtimes of the nodes; three nodes, dealt in turn. */
  runtimes: Runtime[];
  /** The longest outage of the server, in milliseconds. */
  outageMs?: number;
  signal?: AbortSignal;
  tell?: (line: string) => void;
  /** Is told of every process that it starts. */
  started?: (pid: number) => void;
  /** How long nothing may come to its end while something is left, in milliseconds. */
  within?: number;
}

export interface ChaosReport {
  seed: number;
  evidence: Evidence;
  /** By law what breaks it. */
  verdicts: Record<string, string[]>;
  faults: Record<string, number>;
  /** What was not final in time. */
  unfinished: read.LiveRow[];
  wired: { sent: number; final: number };
  retries: number;
  /** How often some node looked by itself. */
  vigils: number;
  seconds: { faults: number; settling: number };
  longest: { took: number; what: string };
}

const NODES = 3;

/** Break things for a while, and judge. Whatever it started has ended when it returns. */
export async function runChaos(options: ChaosOptions): Promise<ChaosReport> {
  const { seed, ms, tell = () => {}, signal = new AbortController().signal } = options;
  const closers: (() => Promise<unknown>)[] = [];
  try {
    const server = await OwnServer.start(join(tempDir(), "server"));
    server.started = options.started;
    options.started?.(server.pid!);
    closers.push(() => server.stop("immediate"));
    await prepare(server.url);
    const admin = postgres(server.url, { max: 1, onnotice: () => {}, backoff: () => 0.25 });
    closers.push(() => admin.end({ timeout: 1 }));
    const nodes = await startNodes(options, server.url, closers);
    const scene: Scene = { server, nodes, admin, signal };
    const partitionsBefore = Object.keys(await read.readPartitions(admin));
    const load = new Load(server.url, nodes.map(({ name }) => name));
    await load.start(seed);
    const steps = planOf({
      seed,
      nodes: NODES,
      ms,
      leaseMs: TIMES.lease_seconds * 1000,
      outageMs: options.outageMs,
    });
    const begun = performance.now();
    const faults = await breakThings(steps, scene, tell);
    const mended = performance.now();
    signal.throwIfAborted();
    await heal(scene);
    await load.stop();
    tell(`all is mended; ${load.published.length} published, waiting for the rest to end`);
    const unfinished = await untilFinal(admin, load, nodes, options.within ?? 30_000, signal);
    const ended = performance.now();
    const evidence: Evidence = {
      published: load.published,
      cancelled: load.cancelled,
      archive: await read.readArchive(admin),
      live: await read.readLive(admin),
      runs: await read.readRuns(admin),
      nodes: nodes.map(({ name }) => name),
      partitions: await read.readPartitions(admin),
      partitionsBefore,
      logs: Object.fromEntries(nodes.map(({ name, lines }) => [name, lines])),
      surprises: nodes.flatMap(({ surprises }) => surprises),
      outages: steps.flatMap((step) => step.faults).filter(isOutage).length,
    };
    const finals = new Set(evidence.archive.map(({ uuid, origin }) => origin ?? uuid));
    return {
      seed,
      evidence,
      verdicts: judge({ ...LAWS, ...LOG_LAWS }, evidence),
      faults,
      unfinished,
      wired: { sent: load.wired.length, final: load.wired.filter(({ uuid }) => finals.has(uuid)).length },
      retries: load.retries,
      vigils: load.vigils,
      seconds: {
        faults: (mended - begun) / 1000,
        settling: (ended - mended) / 1000,
      },
      longest: longestOf(evidence),
    };
  } finally {
    for (const close of closers.reverse()) await close().catch((error) => tell(`while closing: ${error}`));
  }
}

async function prepare(url: string): Promise<void> {
  const client = await connect({ databaseUrl: url });
  await client.close();
  const sql = postgres(url, { max: 1, onnotice: () => {} });
  await sql.unsafe(read.RUN_TABLE);
  await sql.end({ timeout: 1 });
}

async function startNodes(
  { runtimes, signal, started }: ChaosOptions,
  url: string,
  closers: (() => Promise<unknown>)[],
): Promise<ChaosNode[]> {
  const nodes: ChaosNode[] = [];
  for (let i = 0; i < NODES; i++) {
    const runtime = runtimes[i % runtimes.length];
    const node = new ChaosNode(`${runtime}-${i + 1}`, runtime, await TcpProxy.open(url), url);
    closers.push(() => node.close());
    nodes.push(node);
    node.started = started;
    node.start();
  }
  await within(60_000, "The nodes were not ready", Promise.all(nodes.map((node) => node.ready)), signal);
  return nodes;
}

async function breakThings(
  steps: Step[],
  scene: Scene,
  tell: (line: string) => void,
): Promise<Record<string, number>> {
  const counts: Record<string, number> = {};
  const start = performance.now();
  for (const { afterMs, faults } of steps) {
    if (scene.signal.aborted) break;
    await rest(afterMs, undefined, { signal: scene.signal }).catch(() => {});
    tell(`${((performance.now() - start) / 1000).toFixed(1)} s  ${faults.map(sayFault).join(" + ")}`);
    await Promise.all(faults.map((fault) => inject(fault, scene)));
    for (const { kind } of faults) counts[kind] = (counts[kind] ?? 0) + 1;
  }
  return counts;
}

/** Whatever a fault left: everything is up again. */
async function heal({ server, nodes }: Scene): Promise<void> {
  await server.start();
  for (const node of nodes) {
    await node.proxy.heal();
    node.signal("SIGCONT");
    node.start();
  }
}

/** Wait until every call is final; returns what is not when nothing has come to its end for a time. */
async function untilFinal(
  admin: postgres.Sql,
  load: Load,
  nodes: ChaosNode[],
  ms: number,
  signal: AbortSignal,
): Promise<read.LiveRow[]> {
  let best = Infinity;
  let deadline = 0;
  const copies = load.published.filter(({ queue }) => queue === "broadcast").length * nodes.length;
  for (;;) {
    signal.throwIfAborted();
    const live = await read.readLive(admin);
    const [{ n }] = await admin`select count(*)::int n from dispatcher.archive a
      join dispatcher.broadcast b on b.uuid = a.origin`;
    const left = live.length + copies - n;
    if (live.length === 0 && left <= 0) return [];
    if (left < best) deadline = performance.now() + ms;
    best = Math.min(best, left);
    if (performance.now() > deadline) return live;
    await rest(250);
  }
}

/** The longest that an envelope took from when it was due to its end, in seconds. */
function longestOf({ archive, published }: Evidence): { took: number; what: string } {
  const calls = new Map(published.map((call) => [call.uuid, call]));
  let longest = { took: 0, what: "none" };
  for (const { uuid, origin, task, queue, created, finished } of archive) {
    const { delay = 0, priority = 0, serial = false } = calls.get(origin ?? uuid) ?? {};
    const took = (finished - created) / 1000 - delay;
    const what = `${task} ${uuid} on ${queue}, priority ${priority}${serial ? ", serial" : ""}`;
    if (took > longest.took) longest = { took, what };
  }
  return longest;
}

async function within<T>(ms: number, what: string, work: Promise<T>, signal?: AbortSignal): Promise<T> {
  const stop = new AbortController();
  const late = rest(ms, undefined, { signal: stop.signal }).then(() => {
    throw new Error(`${what} within ${ms} ms`);
  });
  const aborted = new Promise<never>((_, reject) => {
    signal?.addEventListener("abort", () => reject(signal.reason), { signal: stop.signal });
  });
  try {
    return await Promise.race([work, late, aborted]);
  } finally {
    stop.abort();
    late.catch(() => {});
  }
}
