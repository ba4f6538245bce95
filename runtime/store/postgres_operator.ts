/**
 * What an operator asks of the store on PostgreSQL: ending, bringing back, and looking at why.
 *
 * @module
 */
import type { State } from "../state.ts";
import { arrayLiteral } from "./connection.ts";
import { CANCEL, CANCEL_FREE } from "./sql.ts";
import * as AUDIT from "./sql_audit.ts";
import * as DEAD from "./sql_dead.ts";
import { HOLDUPS, MATCHING } from "./sql_look.ts";
import type { Param, Row } from "./statements.ts";
import type * as Operator from "./operator.ts";
import type * as Port from "./store.ts";

/** It moves at most once while a statement waits for it; so often in a row only if many pull it to and fro. */
const LOOKS = 20;
const PURGE_BATCH = 10_000;

/** The operator's half of the store. */
export class OperatorStatements implements Operator.OperatorStore {
  readonly #run: (text: string, params?: Param[]) => Promise<Row[]>;

  constructor(run: (text: string, params?: Param[]) => Promise<Row[]>) {
    this.#run = run;
  }

  cancel(uuids: string[]): Promise<Port.Cancelled[]> {
    return this.#each(uuids, CANCEL_FREE, CANCEL);
  }

  discard(uuids: string[], reason: string): ReturnType<Port.Store["discard"]> {
    return this.#each(uuids, DEAD.DISCARD_FREE, DEAD.DISCARD, [reason]);
  }

  retry(uuids: string[]): ReturnType<Port.Store["retry"]> {
    return this.#each(uuids, DEAD.RETRY_FREE, DEAD.RETRY);
  }

  /** All at once that nobody has locked, then the others one by one. */
  async #each(uuids: string[], free: string, one: string, params: Param[] = []): Promise<Row[]> {
    const done = [...await this.#run(free, [arrayLiteral(uuids), ...params])];
    const found = new Set(done.map((row) => row.uuid));
    const missing = new Set(uuids.map((uuid) => uuid.toLowerCase()).filter((uuid) => !found.has(uuid)));
    if (missing.size === 0) return done;
    const known = await this.#run(DEAD.KNOWN, [arrayLiteral([...missing])]);
    for (const { uuid } of known) done.push(...await this.#one(uuid, one, params));
    return done;
  }

  /** What moved from one table to the other while the statement waited for it is there by a later look. */
  async #one(uuid: string, text: string, params: Param[]): Promise<Row[]> {
    for (let look = 0; look < LOOKS; look++) {
      const rows = await this.#run(text, [arrayLiteral([uuid]), ...params]);
      if (rows.length > 0) return rows;
    }
    return [];
  }

  async purge(queue: string, tell: (purged: number) => void = () => {}): Promise<number> {
    const [{ id }] = await this.#run(DEAD.LAST_ID);
    for (let total = 0;;) {
      const [{ purged }] = await this.#run(DEAD.PURGE, [queue, id, PURGE_BATCH]);
      total += purged;
      tell(purged);
      if (purged < PURGE_BATCH) return total;
    }
  }

  async pause(queue: string, paused: boolean): Promise<boolean> {
    return (await this.#run(paused ? DEAD.PAUSE : DEAD.RESUME, [queue])).length > 0;
  }

  matching(filter: Port.EnvelopeFilter, after?: string): Promise<{ uuid: string; state: Row }[]> {
    return this.#run(MATCHING, [...filterParams(filter), after ?? null]);
  }

  failures(f: Operator.FailureFilter): Promise<Operator.FailureRow[]> {
    return this.#run(DEAD.FAILURES, [f.queue ?? null, f.task ?? null, f.withinSeconds ?? null, f.limit]);
  }

  async holdups(uuid: string): Promise<Operator.Holdups | null> {
    const [row] = await this.#run(HOLDUPS, [uuid]);
    if (!row) return null;
    const { blocked, paused, ahead, head, head_state, preempted, victims, waited } = row;
    return {
      blocked,
      paused,
      ahead,
      preempted,
      victims,
      waited,
      head: head === null ? null : { uuid: head, state: head_state },
    };
  }

  async audit(entries: Operator.AuditEntry[]): Promise<void> {
    const column = <T extends string | number | boolean>(of: (entry: Operator.AuditEntry) => T) =>
      arrayLiteral(entries.map(of));
    await this.#run(AUDIT.AUDIT, [
      column((e) => e.who),
      column((e) => e.how),
      column((e) => e.address),
      column((e) => e.node),
      column((e) => e.action),
      column((e) => e.target),
      column((e) => e.count),
      column((e) => e.ok),
      column((e) => JSON.stringify(e.detail)),
    ]);
  }

  audits({ action, who, before, limit }: Operator.AuditFilter): Promise<Operator.AuditRow[]> {
    return this.#run(AUDIT.AUDITS, [action ?? null, who ?? null, before ?? null, limit]);
  }
}

/** A filter in the order of the statements. */
export function filterParams(f: Port.EnvelopeFilter): Param[] {
  const [from, to] = f.uuid === undefined ? [null, null] : uuidRange(f.uuid);
  const states = f.state ? statesParam(f.state) : null;
  const { queue, task, node, limit, olderSeconds } = f;
  return [states, queue ?? null, task ?? null, node ?? null, from, to, limit, olderSeconds ?? null];
}

/** States as the tables have them: what is available may wait apart, for the resources that it asks for. */
export function statesParam(states: readonly State[]): string {
  return arrayLiteral(states.includes("available") ? [...states, "asking"] : states);
}

/** The first and the last uuid that begin with a prefix; dashes may be left out. */
export function uuidRange(prefix: string): [string, string] {
  const hex = prefix.replaceAll("-", "").toLowerCase();
  const full = (pad: string) =>
    hex.padEnd(32, pad).replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, "$1-$2-$3-$4-$5");
  return [full("0"), full("f")];
}
