/**
 * The operator's verbs of a client: end, give up, bring back, and ask why. They act on whatever node an envelope is.
 *
 * @module
 */
import type { Broker } from "./broker/broker.ts";
import { WAKE_CHANNEL } from "./broker/channels.ts";
import type { Clock } from "./clock.ts";
import { request } from "./control/control.ts";
import type { NodeStatus } from "./control/node_status.ts";
import { BROADCAST_QUEUE, checkQueue } from "./envelope.ts";
import { DispatcherError } from "./errors.ts";
import type { State } from "./state.ts";
import type { Discarded, Retried } from "./store/operator.ts";
import type { Cancelled, EnvelopeFilter, EnvelopeRow, Store } from "./store/store.ts";
import { type Why, whyOf } from "./why.ts";

/** What an operator works with. */
export interface OperatorParts {
  store: Store;
  broker: Broker;
  clock: Clock;
}

const PAGE = 5_000;
/** Seconds that a node has to say in which slot something runs. */
const ANSWER_SECONDS = 1;

/** Acts on envelopes and queues. */
export class Operator {
  readonly #parts: OperatorParts;

  constructor(parts: OperatorParts) {
    this.#parts = parts;
  }

  async cancel(uuids: string[]): Promise<Cancelled[]> {
    const done = await this.#parts.store.cancel(uuids);
    // What is gone may have stood before an equal one.
    if (done.some(({ did }) => did === "cancelled")) await this.#wake([""]);
    await this.#tell(done);
    return done;
  }

  async discard(uuids: string[], reason: string): Promise<Discarded[]> {
    if (reason.includes("\u0000")) {
      throw new DispatcherError(
        "usage",
        `Cannot discard for ${JSON.stringify(reason)}: it has a NUL character`,
      );
    }
    const done = await this.#parts.store.discard(uuids, reason);
    if (done.some(({ queue }) => queue !== null)) await this.#wake([""]);
    await this.#tell(done);
    return done.map(withoutQueue);
  }

  async retry(uuids: string[]): Promise<Retried[]> {
    const done = await this.#parts.store.retry(uuids);
    await this.#wake(done.map(({ queue, did }) => did === "blocked" ? "" : queue));
    return done.map(withoutQueue);
  }

  async purge(queue: string, tell?: (purged: number) => void): Promise<number> {
    const purged = await this.#parts.store.purge(checkQueue(queue), tell);
    if (purged > 0) await this.#wake([""]);
    return purged;
  }

  async pause(queue: string, paused: boolean): Promise<boolean> {
    const verb = paused ? "pause" : "resume";
    if (checkQueue(queue) === BROADCAST_QUEUE) {
      throw new DispatcherError(
        "usage",
        `Cannot ${verb} "${queue}": it is a log; each node has its own queue`,
      );
    }
    const changed = await this.#parts.store.pause(queue, paused);
    if (!paused) await this.#wake([queue]);
    return changed;
  }

  async matching(filter: Omit<EnvelopeFilter, "limit">): Promise<{ uuid: string; state: State }[]> {
    const found: { uuid: string; state: State }[] = [];
    for (;;) {
      const page = await this.#parts.store.matching({ ...filter, limit: PAGE }, found.at(-1)?.uuid);
      found.push(...page);
      if (page.length < PAGE) return found;
    }
  }

  async why(row: EnvelopeRow): Promise<Why[]> {
    const { store } = this.#parts;
    const [holdups, nodes] = await Promise.all([store.holdups(row.uuid), store.nodes()]);
    return whyOf({ row, holdups, nodes, worker: await this.#workerOf(row) });
  }

  /** In which worker it runs; null: before one; undefined: its node does not say. */
  async #workerOf({ state, node, uuid, origin }: EnvelopeRow): Promise<string | null | undefined> {
    if (state !== "running" || node === null) return undefined;
    const [reply] = await request(this.#parts.broker, this.#parts.clock, {
      channel: node,
      command: "node_status",
      timeout: ANSWER_SECONDS,
      expected: 1,
    });
    const { workers = [], queued = [] } = (reply ?? {}) as unknown as Partial<NodeStatus>;
    const shown = origin ?? uuid;
    const found = workers.find(({ running }) => running.some((one) => one.uuid === shown));
    if (found) return `${found.host_pid}.${found.tid}`;
    return queued.some((one) => one.uuid === shown) ? null : undefined;
  }

  /** Tell the nodes of what runs there and is to end. Their heartbeats learn of it too, if this message is lost. */
  async #tell(done: (Cancelled | Discarded)[]): Promise<void> {
    for (const { uuid, did, node } of done) {
      if (did !== "requested" || node === null) continue;
      const message = JSON.stringify({ control: "cancel", control_data: { uuid } });
      await this.#parts.broker.notify(node, message).catch(() => {});
    }
  }

  /** A wake that is lost costs one safety poll. */
  async #wake(hints: (string | null)[]): Promise<void> {
    for (const hint of new Set(hints)) {
      if (hint !== null) await this.#parts.broker.notify(WAKE_CHANNEL, hint).catch(() => {});
    }
  }
}

function withoutQueue<T extends { queue: string | null }>({ queue: _, ...rest }: T): Omit<T, "queue"> {
  return rest;
}
