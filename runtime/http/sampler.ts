/**
 * One look at the cluster for all who watch: nodes, their slots, queues and counts, taken when somebody wants it and
 * the last one is too old.
 *
 * | what fails | what is shown |
 * |---|---|
 * | the database | the last look, with its age, and what the database said |
 * | a node does not answer | its row, and that it did not answer; others are not held up by it for longer than the bound |
 *
 * @module
 */
import type { Client } from "../client.ts";
import type { NodeStatus } from "../control/node_status.ts";
import { errorLine } from "../errors.ts";
import type { QueueLook, StateCounts } from "../store/look.ts";
import type { QueueRate } from "../rates.ts";
import type { NodeRow } from "../store/store.ts";
import type { HttpParts } from "./parts.ts";

/** Seconds that nodes have to answer; what they do is fresher than a second then. */
const ANSWER_SECONDS = 0.3;
/** Times as long as they took counts stand; those that take 50 ms are still fresh each round. */
const COUNTS_REST = 10;
/** Looks that a busy node may miss: until then what it said last stands. */
const MISSES = 3;
/** A look this old still serves a page. */
const FRESH_MS = 400;
/** Every so many looks those who were silent are waited for again. */
const PATIENT_EVERY = 10;

/** A node, and what it said of itself. */
export interface NodeLook extends NodeRow {
  /** Null when it did not answer. */
  status: NodeStatus | null;
}

/** A queue, and how fast it goes. */
export interface QueueView extends QueueLook {
  rate?: QueueRate;
}

/** The cluster at one moment. */
export interface Snapshot {
  /** ISO, by the database's clock. */
  now: string;
  /** Milliseconds since 1970, by this node's. */
  taken: number;
  nodes: NodeLook[];
  queues: QueueView[];
  counts: StateCounts;
}

interface Heard {
  status: NodeStatus | null;
  misses: number;
}

/** Takes looks; whoever asks while one is under way gets that one. */
export class Sampler {
  readonly #parts: HttpParts;
  #last: Snapshot | undefined;
  #taking: Promise<Snapshot> | undefined;
  /** What nodes said last, and how many looks ago, by instance. */
  #heard = new Map<string, Heard>();
  #looks = 0;
  #outdated = false;
  #counted: { counts: StateCounts; at: number; until: number } | undefined;
  /** What the database said, when the last look failed. */
  failure: string | null = null;

  constructor(parts: HttpParts) {
    this.#parts = parts;
  }

  /** The last look, whatever its age. */
  get last(): Snapshot | undefined {
    return this.#last;
  }

  /** Something was changed from here: whoever looks next sees it. */
  outdate(): void {
    this.#outdated = true;
  }

  /** A look that is fresh enough for a page, or the last one while the database is away. */
  async look(): Promise<Snapshot> {
    const fresh = this.#last && this.#parts.clock.now() - this.#last.taken < FRESH_MS;
    if (this.#last && fresh && !this.failure && !this.#outdated) return this.#last;
    try {
      // The look that is under way began before the change.
      if (this.#outdated) await this.#taking?.catch(() => {});
      return await this.take();
    } catch (error) {
      if (this.#last) return this.#last;
      throw error;
    }
  }

  /** A new look. */
  take(): Promise<Snapshot> {
    this.#taking ??= this.#take().finally(() => this.#taking = undefined);
    return this.#taking;
  }

  async #take(): Promise<Snapshot> {
    const outdated = this.#outdated;
    this.#outdated = false;
    try {
      const client = await this.#parts.client();
      const taken = this.#parts.clock.now();
      const nodes = await client.nodes();
      const asked = this.#ask(client, nodes);
      asked.catch(() => {});
      const [queues, counts, rates] = await Promise.all([
        client.look.queues(),
        this.#counts(client, outdated),
        client.rates(ANSWER_SECONDS).catch(() => []),
      ]);
      const statuses = await asked;
      this.#note(nodes, statuses);
      const looks = nodes.map((node) => ({
        ...node,
        status: this.#heard.get(node.instance)?.status ?? null,
      }));
      this.#last = {
        now: counts.now,
        taken,
        nodes: looks,
        queues: withRates(queues, rates),
        counts,
      };
      this.failure = null;
      return this.#last;
    } catch (error) {
      this.#outdated ||= outdated;
      this.failure = errorLine(error);
      throw error;
    }
  }

  /** Counts rest ten times as long as they took: with millions of rows they are what costs. */
  async #counts(client: Client, outdated: boolean): Promise<StateCounts> {
    const { clock } = this.#parts;
    const begun = clock.monotonic();
    const { counts, at, until } = this.#counted ?? { counts: null, at: 0, until: 0 };
    if (counts && begun < until && !outdated) {
      return { ...counts, now: new Date(Date.parse(counts.now) + begun - at).toISOString() };
    }
    const fresh = await client.look.counts();
    const took = clock.monotonic() - begun;
    this.#counted = { counts: fresh, at: begun + took, until: begun + took * COUNTS_REST };
    return fresh;
  }

  /** What the nodes say; those that were silent are not waited for each time. */
  async #ask(client: Client, nodes: NodeRow[]): Promise<Map<string, NodeStatus>> {
    const live = nodes.filter(({ alive }) => alive);
    const patient = this.#looks++ % PATIENT_EVERY === 0;
    const expected = patient
      ? live
      : live.filter(({ instance }) => (this.#heard.get(instance)?.misses ?? 0) < MISSES);
    const replies = await client.control("node_status", undefined, {
      timeout: ANSWER_SECONDS,
      expected: expected.length,
    }).catch(() => []);
    return new Map(
      replies.filter((reply) => Array.isArray(reply.workers)).map((
        reply,
      ) => [String(reply.node_id), reply as unknown as NodeStatus]),
    );
  }

  #note(nodes: NodeRow[], statuses: Map<string, NodeStatus>): void {
    const before = this.#heard;
    this.#heard = new Map();
    for (const { name, instance, alive } of nodes) {
      if (!alive) continue;
      const misses = statuses.has(name) ? 0 : (before.get(instance)?.misses ?? MISSES) + 1;
      const status = statuses.get(name) ?? (misses < MISSES ? before.get(instance)!.status : null);
      this.#heard.set(instance, { status, misses });
    }
  }
}

/** A queue in which work has ended is one, even if nothing is left of it. */
function withRates(queues: QueueLook[], rates: QueueRate[]): QueueView[] {
  const byQueue = new Map(rates.map((rate) => [rate.queue, rate]));
  return queues.map((queue) => ({ ...queue, rate: byQueue.get(queue.queue) }));
}
