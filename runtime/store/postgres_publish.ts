/**
 * How envelopes are written, on PostgreSQL.
 *
 * @module
 */
import { BROADCAST_QUEUE, type Sealed } from "../envelope.ts";
import { uuid7 } from "../uuid.ts";
import { arrayLiteral } from "./connection.ts";
import { Apart, setApart } from "./postgres_content.ts";
import * as SQL from "./sql_publish.ts";
import type { Param, Row, Runner } from "./statements.ts";
import type * as Port from "./store.ts";

type Run = (text: string, params: Param[]) => Promise<Row[]>;

const UNIQUE_VIOLATION = "23505";

/**
 * Write envelopes that have uuids of ours, no rule for duplicates, and are no broadcasts: the cheapest way.
 *
 * @param how.alone No other statement writes envelopes now. Beside another the statement of a single one is no gain: what
 *   is answered sooner leaves less to gather, and four callers published a tenth less.
 * @param how.apart What is long goes apart.
 * @param how.handing A single one may be handed to a node that is on call.
 */
export async function publishPlain(
  run: Run,
  batch: Sealed[],
  { alone, apart, handing }: { alone: boolean; apart: boolean; handing?: Handing },
): Promise<Port.Put[]> {
  try {
    const one = alone && batch.length === 1 && isDueAtOnce(batch[0]) ? oneParams(batch[0]) : undefined;
    if (one && apart) await run(SQL.PUBLISH_ONE_LONG, [...one, uuid7()]);
    else if (one) await (handing?.hand(run, one) ?? run(SQL.PUBLISH_ONE, one));
    else if (apart) await publishLong(run, batch);
    else await run(SQL.PUBLISH_NEW, publishParams(batch));
    return batch.map(() => ({ isNew: true, duplicateOf: null }));
  } catch (error) {
    if ((error as { code?: string }).code !== UNIQUE_VIOLATION) throw error;
    // Published once more, as after an answer that was lost: nothing of it was written now.
    return written(batch, await run(SQL.PUBLISH, publishParams(batch)));
  }
}

/** The function is of a later release, or not for this role. */
const CANNOT_HAND = new Set(["42883", "42501"]);
/** Among others: nobody reads what the cluster has to tell, and it has no room for more. A wake may be lost then. */
const NO_ROOM = "54000";

/** Hands single envelopes over, as long as the database lets it. */
export class Handing {
  #can = true;

  /** Write one, handed over if a node is on call; undefined where that cannot be. */
  hand(run: Run, one: Param[]): Promise<unknown> | undefined {
    if (!this.#can) return undefined;
    return run(SQL.HAND, one).catch((error) => {
      // Nothing was written.
      if (CANNOT_HAND.has(error?.code)) this.#can = false;
      else if (error?.code !== NO_ROOM) throw error;
      return run(SQL.PUBLISH_ONE, one);
    });
  }
}

async function publishLong(run: Run, batch: Sealed[]): Promise<void> {
  const { rest, params } = setApart(batch);
  await run(SQL.PUBLISH_LONG, [...publishParams(rest), ...params]);
}

/**
 * Write envelopes of any kind in one statement, also inside a transaction of the caller's: rolled back, nothing was
 * published. Any runner with the `unsafe` method of the `postgres` package serves.
 */
export async function publishIn(tx: Runner, batch: Sealed[]): Promise<Port.Put[]> {
  const run: Run = async (text, params) => await tx.unsafe(text, params, { prepare: true });
  return await publishBy(run, batch, await new Apart().holds(run, batch));
}

/** Write envelopes of any kind, broadcasts too; `apart` sets what is long of the plain ones apart. */
export async function publishBy(run: Run, batch: Sealed[], apart: boolean): Promise<Port.Put[]> {
  const casts = batch.filter((e) => e.queue === BROADCAST_QUEUE);
  const unique = batch.filter((e) => e.queue !== BROADCAST_QUEUE && e.unique);
  const rows = batch.filter((e) => e.queue !== BROADCAST_QUEUE && !e.unique);
  // In one order for everybody, so that two batches do not wait for each other's locks.
  unique.sort((a, b) => orderOf(a) < orderOf(b) ? -1 : 1);
  const own = arrayLiteral(batch.filter((e) => e.ownUuid).map((e) => e.uuid));
  const { rest, params } = apart ? setApart(rows) : { rest: rows, params: [] };
  const written = await run(apart ? SQL.PUBLISH_ANY_LONG : SQL.PUBLISH_ANY, [
    ...publishParams(rest),
    ...broadcastParams(casts),
    ...publishParams(unique),
    own,
    ...params,
  ]);
  const isNew = new Set(written.filter((row) => row.duplicate_of === null).map((row) => row.uuid));
  const duplicates = new Map(written.map((row) => [row.uuid, row.duplicate_of]));
  // The second of two equal uuids in one batch is as known as one that came earlier.
  return batch.map((e) => ({ isNew: isNew.delete(e.uuid), duplicateOf: duplicates.get(e.uuid) ?? null }));
}

function orderOf({ queue, task, args, kwargs }: Sealed): string {
  return `${queue}\n${task}\n${args}\n${kwargs}`;
}

function written(batch: Sealed[], rows: Row[]): Port.Put[] {
  const isNew = rows.length === batch.length ? null : new Set(rows.map((row) => row.uuid));
  return batch.map((e) => ({ isNew: isNew?.delete(e.uuid) ?? true, duplicateOf: null }));
}

function isDueAtOnce({ delay, at }: Sealed): boolean {
  return delay === null && at === null;
}

function oneParams(e: Sealed): Param[] {
  const { uuid, queue, task, args, kwargs, options, priority, maxAttempts, timeout, timePub } = e;
  return [uuid, queue, task, args, kwargs, options, priority, maxAttempts, timeout, timePub];
}

/** The columns that every way of writing an envelope shares, in the order of the statements. */
export function contentParams(e: Sealed[]): Param[] {
  return [
    arrayLiteral(e.map((x) => x.task)),
    arrayLiteral(e.map((x) => x.args)),
    arrayLiteral(e.map((x) => x.kwargs)),
    arrayLiteral(e.map((x) => x.options)),
    arrayLiteral(e.map((x) => x.priority)),
    arrayLiteral(e.map((x) => x.maxAttempts)),
    arrayLiteral(e.map((x) => x.timeout)),
    arrayLiteral(e.map((x) => x.timePub)),
  ];
}

/** The columns of plain envelopes, in the order of the statements. */
export function publishParams(e: Sealed[]): Param[] {
  return [
    arrayLiteral(e.map((x) => x.uuid)),
    arrayLiteral(e.map((x) => x.queue)),
    ...contentParams(e),
    arrayLiteral(e.map((x) => x.delay)),
    arrayLiteral(e.map((x) => x.at)),
  ];
}

function broadcastParams(e: Sealed[]): Param[] {
  return [
    arrayLiteral(e.map((x) => x.uuid)),
    ...contentParams(e),
    arrayLiteral(e.map((x) => x.delay)),
    arrayLiteral(e.map((x) => x.at)),
    arrayLiteral(e.map((x) => x.ttl)),
  ];
}
