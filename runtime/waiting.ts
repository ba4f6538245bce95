/**
 * Waiting for outcomes: of one envelope, or of all copies of a broadcast.
 *
 * @module
 */
import type { Clock } from "./clock.ts";
import { coalesce } from "./coalesce.ts";
import { DispatcherError } from "./errors.ts";
import { type Follow, follow } from "./follow.ts";
import type { Hints } from "./hints.ts";
import type { Json } from "./json.ts";
import type { Outcome } from "./outcome.ts";
import { isFinal } from "./state.ts";
import type { EnvelopeRow, Store } from "./store/store.ts";

const BATCH = 1_000;

/** What waiting works with. */
export interface WaitingParts {
  store: Pick<Store, "outcomes" | "list" | "nodes">;
  clock: Clock;
  hints: Hints;
  /** The result of a row, decrypted. */
  open(row: Pick<EnvelopeRow, "uuid" | "result"> & { origin?: string | null; task?: string }): Promise<Json>;
}

/** Waits for what becomes of envelopes. */
export class Waiting {
  readonly #parts: WaitingParts;
  readonly #outcome: (uuid: string) => Promise<Outcome | undefined>;

  constructor(parts: WaitingParts) {
    this.#parts = parts;
    // However many wait, one query at a time asks for all of them.
    this.#outcome = coalesce(async (uuids: string[]) => {
      const rows = await parts.store.outcomes(uuids);
      return uuids.map((uuid) => {
        const row = rows.get(uuid);
        return row && { uuid, state: row.state, result: row.result, error: row.error };
      });
    }, { max: BATCH });
  }

  /** Until it is final; with patience also for one that is not there yet. */
  async one(whom: Follow, patient: boolean): Promise<Outcome> {
    const { uuid } = whom;
    return await follow(this.#parts, whom, async () => {
      const outcome = await this.#outcome(uuid);
      if (!outcome && patient) return undefined;
      if (!outcome) throw new DispatcherError("not_found", `Cannot wait for "${uuid}": no such envelope`);
      return isFinal(outcome.state) ? { ...outcome, result: await this.#parts.open(outcome) } : undefined;
    });
  }

  /** Until every live node has run its copy. */
  async all(whom: Follow): Promise<Outcome> {
    const { store, open } = this.#parts;
    const { uuid } = whom;
    return await follow(this.#parts, whom, async () => {
      const rows = (await store.list({ uuid, limit: 1_000 })).filter((row) => row.origin === uuid);
      const live = (await store.nodes()).filter((node) => node.alive && node.state === "running");
      const done = new Map(rows.filter((row) => isFinal(row.state)).map((row) => [row.queue, row]));
      if (live.length === 0 || !live.every((node) => done.has(node.name))) return undefined;
      const failed = [...done.values()].find((row) => row.state !== "completed");
      const each = [...done].sort(byNode).map(async ([node, row]) => [node, await open(row)] as const);
      const result = Object.fromEntries(await Promise.all(each));
      return { uuid, state: failed?.state ?? "completed", result, error: failed?.error ?? null };
    });
  }
}

/** In one order, so that the same outcome is the same bytes. */
function byNode([a]: [string, unknown], [b]: [string, unknown]): number {
  return a < b ? -1 : 1;
}
