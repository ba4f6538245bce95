/**
 * What a client lets one see and do that is made of several looks: pages, counts, what became of the ticks of a
 * schedule, and the copy of an envelope.
 *
 * @module
 */
import type { EnvelopeExtras, PublishOptions } from "./envelope.ts";
import { DispatcherError } from "./errors.ts";
import { Packing } from "./packing.ts";
import { lastTicks, type ScheduleRow } from "./schedule.ts";
import { tickUuid } from "./service/scheduler.ts";
import type { State } from "./state.ts";
import type * as Look from "./store/look.ts";
import type { EnvelopeRow, NodeRow, Store } from "./store/store.ts";
import type { Published } from "./task.ts";
import { type Why, whyOf } from "./why.ts";

/** What became of a tick. */
export interface TickOutcome {
  /** ISO. */
  at: string;
  uuid: string;
  state: State;
}

/** What it looks with. */
export interface LookerParts {
  store: Store;
  packing?: Packing;
}

type LookStore = Look.LookStore<EnvelopeRow>;
type Publish = (task: string, args: unknown[], options: PublishOptions) => Promise<Published<unknown>>;

/** Looks at a cluster; each look costs about the same however much there is. */
export class Looker {
  readonly #parts: LookerParts;
  readonly #publish: Publish;

  constructor(parts: LookerParts, publish: Publish) {
    this.#parts = parts;
    this.#publish = publish;
  }

  page(...given: Parameters<LookStore["page"]>): ReturnType<LookStore["page"]> {
    return this.#parts.store.look.page(...given);
  }

  matching(...given: Parameters<LookStore["matching"]>): ReturnType<LookStore["matching"]> {
    return this.#parts.store.look.matching(...given);
  }

  counts(): ReturnType<LookStore["counts"]> {
    return this.#parts.store.look.counts();
  }

  queues(): ReturnType<LookStore["queues"]> {
    return this.#parts.store.look.queues();
  }

  /** How many envelopes wait for resources, by queue. */
  asking(): ReturnType<LookStore["asking"]> {
    return this.#parts.store.look.asking();
  }

  tables(): ReturnType<LookStore["tables"]> {
    return this.#parts.store.look.tables();
  }

  groups(...given: Parameters<LookStore["groups"]>): ReturnType<LookStore["groups"]> {
    return this.#parts.store.look.groups(...given);
  }

  failed(...given: Parameters<LookStore["failed"]>): ReturnType<LookStore["failed"]> {
    return this.#parts.store.look.failed(...given);
  }

  /** The callback receivers as their last reports have them; none where there is no control plane. */
  receivers(): ReturnType<LookStore["receivers"]> {
    return this.#parts.store.look.receivers();
  }

  /** The events that receivers set aside last. */
  setAside(...given: Parameters<LookStore["setAside"]>): ReturnType<LookStore["setAside"]> {
    return this.#parts.store.look.setAside(...given);
  }

  /** Why an envelope does not run, or who runs it, or how it ended; `worker` as its node says. */
  async why(row: EnvelopeRow, nodes: NodeRow[], worker: string | null | undefined): Promise<Why[]> {
    return whyOf({ row, holdups: await this.#parts.store.holdups(row.uuid), nodes, worker });
  }

  /** What became of the last ticks of each schedule, the latest first; of those that published something. */
  async ticks(rows: ScheduleRow[], count: number, now: Date): Promise<Map<string, TickOutcome[]>> {
    const ticks = rows.map((row) => ({ name: row.name, ticks: ticksOf(row, count, now) }));
    const uuids = ticks.flatMap((one) => one.ticks.map(({ uuid }) => uuid));
    const outcomes = await this.#parts.store.outcomes(uuids);
    return new Map(ticks.map(({ name, ticks }) => {
      const known = ticks.flatMap(({ at, uuid }) => {
        const found = outcomes.get(uuid);
        return found ? [{ at: at.toISOString(), uuid, state: found.state }] : [];
      });
      return [name, known];
    }));
  }

  /**
   * Publish an envelope once more, under a uuid of its own: the same task, arguments and options.
   *
   * @throws {DispatcherError} `usage` when its arguments are encrypted and no key here opens them.
   */
  async copy(row: EnvelopeRow): Promise<Published<unknown>> {
    const { uuid, origin, task, queue, priority, timeout, max_attempts, options } = row;
    const call = await (this.#parts.packing ?? new Packing()).cipher.openCall(
      { args: row.args as unknown[], kwargs: (row.kwargs ?? {}) as Record<string, unknown> },
      { uuid: origin ?? uuid, task },
    ).catch((error) => {
      throw new DispatcherError("usage", `Cannot publish a copy of "${uuid}": ${error.message}`);
    });
    const { on_duplicate, resources, preemptible } = options as EnvelopeExtras;
    return await this.#publish(task, call.args, {
      kwargs: call.kwargs,
      queue,
      priority,
      timeout: timeout ?? undefined,
      maxAttempts: max_attempts ?? undefined,
      onDuplicate: on_duplicate,
      resources,
      preemptible,
    });
  }
}

/** The ticks before now, the latest first, and the last that is known to have happened. */
function ticksOf(row: ScheduleRow, count: number, now: Date): { at: Date; uuid: string }[] {
  const found = lastTicks(row, row.next_at === null ? null : new Date(row.next_at), now, count)
    .flatMap((at) => tickNames(row).map((name) => ({ at, uuid: tickUuid(name, at) }))).slice(0, count);
  const { last_uuid, last_at } = row;
  if (last_uuid === null || last_at === null || found.some(({ uuid }) => uuid === last_uuid)) return found;
  return [{ at: new Date(last_at), uuid: last_uuid }, ...found].slice(0, count);
}

/** Under which names its ticks are published: each node has its own. */
function tickNames({ name, nodes }: ScheduleRow): string[] {
  return nodes === null ? [name] : nodes.map((node) => `${node}/${name}`);
}
