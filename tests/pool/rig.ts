/**
 * A pool of this runtime with real hosts, without a database: what a node builds, small and quick.
 *
 * @module
 */
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { type Clock, systemClock } from "../../runtime/clock.ts";
import type { ErrorRecord } from "../../runtime/errors.ts";
import { platform } from "../../runtime/platform/detect.ts";
import type { PoolOptions } from "../../runtime/pool/options.ts";
import { Pool } from "../../runtime/pool/pool.ts";
import type { Finished } from "../../runtime/pool/slot.ts";
import type { Claimed } from "../../runtime/store/store.ts";
import { uuid7 } from "../../runtime/uuid.ts";
import type { TestContext } from "../harness.ts";

const TESTS = dirname(dirname(fileURLToPath(import.meta.url)));
/** Roots of tasks: what the project ships, and what only tests run. */
export const SHIPPED = join(TESTS, "..", "tasks");
export const FIXTURES = join(TESTS, "fixtures", "tasks");

/** How an attempt ended, with its text read. */
export interface Ended extends Finished {
  result: unknown;
  error: ErrorRecord;
}

export interface Rig {
  readonly pool: Pool;
  readonly notices: { level: string; text: string }[];
  /** Lines that tasks printed, and whatever else came out of the hosts. */
  readonly output: string[];
  /** Lines of those that are an attempt's. */
  readonly printed: { uuid: string | null; level: string; text: string }[];
  readonly progress: { uuid: string; value: unknown }[];
  /** What bound tasks and hooks said. */
  readonly said: { uuid: string | null; level: string; text: string }[];
  /** Answers what bound tasks ask; a test may put its own here. */
  ask(what: string, payload: unknown): Promise<unknown>;
  /** Give an envelope to the pool; resolves with its one end. */
  run(task: string, args?: unknown[], more?: Partial<Claimed>): Promise<Ended>;
  /** Uuids that ended, in order; one that is there twice ended twice. */
  readonly ends: string[];
}

const DEFAULTS: PoolOptions = {
  root: FIXTURES,
  prefixes: [],
  allow: [],
  idleSeconds: 60,
  workerMemoryMb: 256,
  hostMemoryMb: 2_048,
  environment: {},
  minSlots: 1,
  maxSlots: 1,
  slotsPerHost: 4,
  abortGrace: 0.2,
  leakyWait: 30,
  scaledownWait: 30,
  removalWait: 30,
  maxAge: 3_600,
  maxTasks: 0,
  maxHeapMb: 10_000,
};

/** Build a pool; it is closed after the test. */
export async function unstarted(
  t: TestContext,
  options: Partial<PoolOptions> = {},
  clock: Clock = systemClock,
): Promise<Rig> {
  const waiting = new Map<string, (end: Ended) => void>();
  const rig = { notices: [], output: [], printed: [], progress: [], said: [], ends: [] } as unknown as Rig & {
    pool: Pool;
  };
  rig.pool = new Pool(await platform(), clock, { ...DEFAULTS, ...options }, {
    finished(end) {
      rig.ends.push(end.claimed.uuid);
      const value = end.text === null ? null : JSON.parse(end.text);
      waiting.get(end.claimed.uuid)?.({ ...end, result: value, error: value });
    },
    progress: ({ uuid }, text) => void rig.progress.push({ uuid, value: JSON.parse(text) }),
    room() {},
    notice: (level, text) => void rig.notices.push({ level, text }),
    output: (line) => void rig.output.push(line),
    ask: (_claimed, what, payload) => rig.ask(what, payload),
    said: (claimed, { level, printed }, text) => {
      const uuid = claimed?.uuid ?? null;
      if (!printed) return void rig.said.push({ uuid, level, text });
      for (const line of text.split("\n")) {
        rig.output.push(line);
        rig.printed.push({ uuid, level, text: line });
      }
    },
  });
  rig.ask = (what) => Promise.reject(new Error(`Nobody answers ${what}`));
  rig.run = (task, args = [], more = {}) => {
    const claimed = claim(task, args, more);
    const { promise, resolve } = Promise.withResolvers<Ended>();
    waiting.set(claimed.uuid, resolve);
    rig.pool.submit([claimed]);
    return promise;
  };
  t.after(() => rig.pool.close(AbortSignal.abort()));
  return rig;
}

/** Build a pool and start its minimum of slots. */
export async function rig(t: TestContext, options: Partial<PoolOptions> = {}, clock?: Clock): Promise<Rig> {
  const made = await unstarted(t, options, clock);
  await made.pool.start(t.signal);
  return made;
}

function claim(task: string, args: unknown[], more: Partial<Claimed>): Claimed {
  return {
    uuid: uuid7(),
    fence: 1,
    task,
    queue: "default",
    args: JSON.stringify(args),
    kwargs: "{}",
    options: "{}",
    priority: 0,
    attempt: 1,
    forgiven: 0,
    maxAttempts: null,
    timeout: null,
    solo: false,
    origin: null,
    keyed: false,
    ...more,
  };
}
