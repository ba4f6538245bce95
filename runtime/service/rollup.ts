/**
 * Writes down what a node did in each minute, from its own counts: one statement a minute, none when there was
 * nothing, and the rest at its drain. The leader adds what stands in the queues.
 *
 * | what can fail | what happens |
 * |---|---|
 * | the database is away | the minutes are kept, up to a bound, and written with their age when it answers |
 * | the answer of a write is lost | the minutes are written twice: a chart shows more than there was |
 * | the node is killed | its last minute is lost |
 *
 * @module
 */
import { type Clock, jitter } from "../clock.ts";
import { errorLine } from "../errors.ts";
import type { Events } from "../events.ts";
import { trimmed } from "../sketch.ts";
import type { RollupRow, RollupStore } from "../store/rollup.ts";
import { OUTCOMES, type QueueTally, type Tally } from "../tally.ts";
import type { Work } from "./service.ts";

/** What the rollup of a node works with. */
export interface RollupParts {
  node: string;
  tally: Tally;
  rollups: RollupStore;
  clock: Clock;
  events: Events;
  slots(): { busy: number; total: number };
  leading(): boolean;
}

/** How often slots are looked at. */
const SAMPLE_MS = 5_000;
const MINUTE_MS = 60_000;
/** So that not all nodes write at once; charts wait for it. */
const SPREAD_MS = 3_000;
/** Rows that are kept while the database is away. */
const MOST_KEPT = 2_000;

/** What was counted when the last minute ended. */
interface Before {
  published: number;
  claimed: number;
  outcomes: Float64Array;
  wait: Float64Array;
  duration: Float64Array;
}

/** Rolls up one node. */
export class Rollup {
  readonly #parts: RollupParts;
  readonly #offset = Math.random() * SPREAD_MS;
  readonly #before = new Map<string, Before>();
  // Not written yet, each with the middle of its while in monotonic milliseconds.
  #kept: { row: Omit<RollupRow, "age">; middle: number }[] = [];
  #began: number;
  #sampledAt: number;
  #busy = 0;
  #slots = 0;
  #nextAt: number;

  constructor(parts: RollupParts) {
    this.#parts = parts;
    this.#began = this.#sampledAt = parts.clock.monotonic();
    this.#nextAt = this.#boundary();
  }

  /** As a service. */
  work(): Work {
    return { name: "rollup", retryMs: SAMPLE_MS, exact: true, once: () => this.#once() };
  }

  /** Write the rest; whoever stops waits for it, so it fails in silence. */
  async flush(): Promise<void> {
    this.#take();
    await this.#write().catch((error) => {
      this.#parts.events.emit("debug", "rollup.lost", `The last minute is in no chart: ${errorLine(error)}`);
    });
  }

  async #once(): Promise<number> {
    const { clock, rollups, leading } = this.#parts;
    this.#sample();
    if (clock.now() >= this.#nextAt) {
      this.#nextAt = this.#boundary();
      this.#take();
      if (leading()) await rollups.writeStates(MINUTE_MS / 2000 + this.#offset / 1000);
    }
    await this.#write();
    return Math.max(1, Math.min(jitter(SAMPLE_MS, 0.1), this.#nextAt - clock.now()));
  }

  /** The next end of a minute, by this node's clock. */
  #boundary(): number {
    const now = this.#parts.clock.now() - this.#offset;
    return (Math.floor(now / MINUTE_MS) + 1) * MINUTE_MS + this.#offset;
  }

  #sample(): void {
    const now = this.#parts.clock.monotonic();
    const { busy, total } = this.#parts.slots();
    const seconds = (now - this.#sampledAt) / 1000;
    this.#sampledAt = now;
    this.#busy += busy * seconds;
    this.#slots += total * seconds;
  }

  /** Make rows of what was counted since the last time. */
  #take(): void {
    this.#sample();
    const { tally, clock } = this.#parts;
    const now = clock.monotonic();
    const middle = (this.#began + now) / 2;
    const rows = [...tally.queues].flatMap(([queue, counts]) => this.#rowOf(queue, counts) ?? []);
    if (rows.length > 0 || this.#busy > 0) rows.push({ ...NOTHING, ...this.#whole() });
    this.#kept.push(...rows.map((row) => ({ row, middle })));
    if (this.#kept.length > MOST_KEPT) this.#kept.splice(0, this.#kept.length - MOST_KEPT);
    this.#began = now;
    this.#busy = this.#slots = 0;
  }

  #whole(): Pick<RollupRow, "queue" | "busy_seconds" | "slot_seconds"> {
    return { queue: null, busy_seconds: round(this.#busy), slot_seconds: round(this.#slots) };
  }

  #rowOf(queue: string, counts: QueueTally): Omit<RollupRow, "age"> | undefined {
    const before = this.#before.get(queue);
    const now: Before = {
      published: counts.published,
      claimed: counts.claimed,
      outcomes: counts.outcomes.slice(),
      wait: counts.wait.counts.slice(),
      duration: counts.duration.counts.slice(),
    };
    this.#before.set(queue, now);
    const published = now.published - (before?.published ?? 0);
    const claimed = now.claimed - (before?.claimed ?? 0);
    const [outcomes, wait, duration] = [
      since(now.outcomes, before?.outcomes),
      trimmed(since(now.wait, before?.wait)),
      trimmed(since(now.duration, before?.duration)),
    ];
    if (published + claimed === 0 && outcomes.every((count) => count === 0)) return undefined;
    return {
      ...NOTHING,
      ...Object.fromEntries(OUTCOMES.map((outcome, i) => [outcome, outcomes[i]])),
      queue,
      published,
      claimed,
      wait: wait.length > 0 ? wait : null,
      duration: duration.length > 0 ? duration : null,
    };
  }

  async #write(): Promise<void> {
    const { node, rollups, clock } = this.#parts;
    const kept = this.#kept;
    if (kept.length === 0) return;
    this.#kept = [];
    const now = clock.monotonic();
    try {
      await rollups.write(
        node,
        kept.map(({ row, middle }) => ({ ...row, age: round((now - middle) / 1000) })),
      );
    } catch (error) {
      this.#kept.unshift(...kept);
      throw error;
    }
  }
}

const NOTHING: Omit<RollupRow, "age"> = {
  queue: null,
  published: 0,
  claimed: 0,
  completed: 0,
  retry: 0,
  cancelled: 0,
  discarded: 0,
  released: 0,
  wait: null,
  duration: null,
  busy_seconds: null,
  slot_seconds: null,
};

function since(now: Float64Array, before?: Float64Array): Float64Array {
  return before ? now.map((count, i) => count - before[i]) : now;
}

/** Milliseconds are enough. */
function round(seconds: number): number {
  return Math.round(seconds * 1000) / 1000;
}
