/**
 * What those who look ask of the store on PostgreSQL.
 *
 * @module
 */
import { COUNT_CAP } from "../count_cap.ts";
import { isFinal, type State } from "../state.ts";
import { arrayLiteral } from "./connection.ts";

import type * as Look from "./look.ts";
import { statesParam, uuidRange } from "./postgres_operator.ts";
import type { EnvelopeRow } from "./store.ts";
import * as SQL from "./sql_page.ts";
import { HAS_RECEIVERS, LAST_SET_ASIDE, RECEIVERS } from "./sql_receiver.ts";
import type { Param, Row } from "./statements.ts";

/** Rows of each table that a page looks through at most. */
const LOOKED = 20_000;

/** The looking half of the store. */
export class LookStatements implements Look.LookStore<EnvelopeRow> {
  readonly #run: (text: string, params?: Param[]) => Promise<Row[]>;

  constructor(run: (text: string, params?: Param[]) => Promise<Row[]>) {
    this.#run = run;
  }

  async page(
    filter: Look.PageFilter,
    limit: number,
    after?: string,
  ): Promise<Look.EnvelopePage<EnvelopeRow>> {
    const place = after === undefined ? undefined : placeOf(after);
    const { state } = filter;
    const live = place?.at === undefined && (!state || state.some((one) => !isFinal(one)))
      ? await this.#live(filter, limit, place?.uuid)
      : undefined;
    if (state && !state.some((one) => isFinal(one))) return live ?? { rows: [], next: null, cut: false };
    if (live && live.next !== null) return live;
    const rows = live?.rows ?? [];
    if (rows.length === limit) return { rows, next: FIRST_FINAL, cut: false };
    const final = await this.#final(filter, limit - rows.length, place?.at === undefined ? undefined : place);
    return { ...final, rows: [...rows, ...final.rows] };
  }

  async #live(
    filter: Look.PageFilter,
    limit: number,
    after?: string,
  ): Promise<Look.EnvelopePage<EnvelopeRow>> {
    const params = [...filterParams(filter), limit + 1, after ?? null, narrows(filter), LOOKED];
    const { rows, looked } = read(await this.#run(statementOf(filter.state), params));
    const full = rows.length > limit;
    const page = rows.slice(0, limit);
    const next = full ? page.at(-1).place : looked;
    return { rows: page.map(shown), next, cut: !full && looked !== null };
  }

  async #final(
    filter: Look.PageFilter,
    limit: number,
    after?: Place,
  ): Promise<Look.EnvelopePage<EnvelopeRow>> {
    const statement = filter.state?.join() === "discarded" ? SQL.PAGE_DEAD : SQL.PAGE_FINAL;
    const { uuid = null, at = null } = after ?? {};
    const params = [...filterParams(filter), limit + 1, uuid, narrows(filter), LOOKED, at];
    const { rows, looked } = read(await this.#run(statement, params));
    const full = rows.length > limit;
    const page = rows.slice(0, limit);
    // The last row that was looked at may have equals by time: the next page begins with them.
    const next = full
      ? `${page.at(-1).at},${page.at(-1).uuid}`
      : looked === null
      ? null
      : `${looked},${LAST_UUID}`;
    return { rows: page.map(shown), next, cut: !full && looked !== null };
  }

  async matching(
    filter: Look.PageFilter,
    limit: number,
  ): ReturnType<Look.LookStore<EnvelopeRow>["matching"]> {
    const rows = await this.#run(SQL.PAGE_SHORT, [...filterParams(filter), limit, null, false, LOOKED]);
    return rows.filter(({ uuid }) => uuid !== null).map(({ uuid, state }) => ({ uuid, state }));
  }

  async counts(): Promise<Look.StateCounts> {
    const [{ now, live, discarded, states, since }] = await this.#run(SQL.COUNTS, [COUNT_CAP + 1]);
    return { now, live, discarded, recent: states, since };
  }

  queues(): Promise<Look.QueueLook[]> {
    return this.#run(SQL.QUEUE_LOOK, [COUNT_CAP + 1]);
  }

  asking(): Promise<Look.AskingLook[]> {
    return this.#run(SQL.ASKING, [COUNT_CAP]);
  }

  tables(): Promise<Look.TableLook[]> {
    return this.#run(SQL.TABLES);
  }

  groups(limit: number): ReturnType<Look.LookStore<EnvelopeRow>["groups"]> {
    return this.#run(SQL.GROUPS, [COUNT_CAP, limit]);
  }

  async failed({ task, error, message }: Look.FailureGroup): Promise<string[]> {
    return (await this.#run(SQL.FAILED, [COUNT_CAP, task, error, message])).map((row) => row.uuid);
  }

  receivers(): Promise<Look.ReceiverRow[]> {
    return this.#ofReceivers(RECEIVERS);
  }

  setAside(limit: number): Promise<Look.SetAsideRow[]> {
    return this.#ofReceivers(LAST_SET_ASIDE, [limit]);
  }

  /** The control plane's tables are not everywhere, nor may everybody look at them. Asked first: errors fill logs. */
  async #ofReceivers(statement: string, params: Param[] = []): Promise<Row[]> {
    try {
      const [{ there }] = await this.#run(HAS_RECEIVERS);
      return there ? await this.#run(statement, params) : [];
    } catch (error) {
      if ((error as { code?: string }).code === NO_PRIVILEGE) return [];
      throw error;
    }
  }
}

const NO_PRIVILEGE = "42501";

const FIRST_UUID = "00000000-0000-0000-0000-000000000000";
const LAST_UUID = "ffffffff-ffff-ffff-ffff-ffffffffffff";
/** Where what is final begins. */
const FIRST_FINAL = `9999-12-31T00:00:00.000000Z,${LAST_UUID}`;

interface Place {
  /** Of what is final: when it ended. */
  at?: string;
  uuid: string;
}

/** A place as `next` has it: a uuid, or a time and a uuid. What is neither is behind everything. */
function placeOf(after: string): Place {
  const [, at, uuid] =
    /^(?:(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z),)?([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})$/.exec(
      after,
    ) ?? [];
  return uuid === undefined ? { at: "0001-01-01T00:00:00.000000Z", uuid: FIRST_UUID } : { at, uuid };
}

/** A statement tells how far it looked, even of a page without rows. */
function read(found: Row[]): { rows: Row[]; looked: string | null } {
  return { rows: found.filter(({ uuid }) => uuid !== null), looked: found[0]?.looked ?? null };
}

function shown({ looked: _l, place: _p, at: _a, moment: _m, ...row }: Row): EnvelopeRow {
  return row;
}

/** The statement whose index serves these states. */
function statementOf(states: State[] = []): string {
  const all = (...some: State[]) => states.length > 0 && states.every((state) => some.includes(state));
  if (all("running")) return SQL.PAGE_RUNNING;
  return all("scheduled", "retryable") ? SQL.PAGE_LATER : SQL.PAGE_LIVE;
}

/** Whether a page may have to look through more rows than it shows. */
function narrows({ state, queue, task, node, uuid, args }: Look.PageFilter): boolean {
  return [state, queue, task, node, uuid, args].some((one) => one !== undefined);
}

function filterParams({ state, queue, task, node, uuid, args }: Look.PageFilter): Param[] {
  const [from, to] = uuid === undefined ? [null, null] : uuidRange(uuid);
  return [
    state ? statesParam(state) : null,
    queue ?? null,
    task === undefined ? null : likeOf(task),
    node ?? null,
    from,
    to,
    args ? arrayLiteral(args.map(({ member }) => member)) : null,
    args ? arrayLiteral(args.map(({ value }) => value)) : null,
    args?.map(({ value }) => value).find((value) => /^[\w.:@ -]+$/.test(value)) ?? "",
  ];
}

/** A pattern of LIKE. */
function likeOf(task: string): string {
  const plain = task.replace(/[\\%_]/g, "\\$&");
  return plain.endsWith("*") ? `${plain.slice(0, -1)}%` : plain;
}
