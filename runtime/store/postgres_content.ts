/**
 * Content that lies apart (0018_content.sql): what of a call is long goes into `dispatcher.content`, the envelope holds a
 * reference in the place of its arguments, and who claims it fetches it.
 *
 * ```text
 *  publish ──► content, by day ◄────────────── fetched when claimed, and by whoever looks
 *     │            ▲   ▲
 *     └──► envelope ── archive                 the reference moves, the content stays
 * ```
 *
 * @module
 */
import type { Sealed } from "../envelope.ts";
import { uuid7 } from "../uuid.ts";
import { arrayLiteral, bareArray } from "./connection.ts";
import * as SQL from "./sql_publish.ts";
import type { Param, Row } from "./statements.ts";
import type { Claimed } from "./store.ts";

type Run = (text: string, params: Param[]) => Promise<Row[]>;

/** Arguments of so many characters lie apart; of shorter ones the second row costs as much as their copy in the archive. */
export const LONG_CALL = 4_000;

const ALL = Number.MAX_SAFE_INTEGER;

/** Whether it lies apart. */
function isLong({ args, kwargs }: Sealed): boolean {
  return args.length + kwargs.length > LONG_CALL;
}

/** So long an answer holds; a node that does not know references and comes meanwhile is handed content all the same. */
const APART_MS = 5_000;

/** Whether content may lie apart now. */
export class Apart {
  #answer = false;
  #until = -Infinity;

  /** Ask for a batch. */
  async holds(run: Run, batch: readonly Sealed[]): Promise<boolean> {
    if (!batch.some(isLong)) return false;
    if (performance.now() >= this.#until) {
      const [{ apart }] = await run(SQL.APART, []);
      this.#answer = apart;
      this.#until = performance.now() + APART_MS;
    }
    return this.#answer;
  }
}

/** Tell what is long of a batch from the rest: the batch without it, and what the statements take of it. */
export function setApart(batch: readonly Sealed[]): { rest: Sealed[]; params: Param[] } {
  const ids = batch.map((e) => isLong(e) ? uuid7() : null);
  const long = batch.filter((_, i) => ids[i] !== null);
  const rest = batch.map((e, i) => ids[i] === null ? e : { ...e, args: "[]", kwargs: "{}" });
  const params = [
    bareArray(ids),
    bareArray(long.map(({ uuid }) => uuid)),
    bareArray(ids.filter((id) => id !== null)),
    arrayLiteral(long.map(({ args }) => args)),
    arrayLiteral(long.map(({ kwargs }) => kwargs)),
  ];
  return { rest, params };
}

/** As the database writes it, in the place of arguments, which are an array. */
const REFERENCE = /^\{"content":"([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})","day":(\d{8})\}$/;

/**
 * Put content in the place of references. What refers to nothing stays, and is refused as arguments.
 *
 * @param most Bytes at most, as they are stored, and at least one content of each day.
 * @returns Those whose content is not fetched, since it would have been more.
 */
export async function fetchContents(run: Run, claimed: readonly Claimed[], most = ALL): Promise<Claimed[]> {
  const days = daysOf(claimed);
  if (days.size === 0) return [];
  const each = Math.ceil(most / days.size);
  const withheld = await Promise.all([...days].map(([day, byId]) => fetchDay(run, day, byId, each)));
  const missing = new Map(
    [...days.values()].flatMap((byId) => [...byId.values()].map((one) => [one.uuid, one])),
  );
  if (missing.size > 0) {
    // The pruner has put it back into the row meanwhile, or it is gone.
    const rows = await run(SQL.RETURNED, [bareArray([...missing.keys()])]);
    for (const { uuid, args, kwargs } of rows) Object.assign(missing.get(uuid)!, { args, kwargs });
  }
  return withheld.flat();
}

type ById = Map<string, Claimed>;

/** What is a reference, by its day and the name of its content. */
function daysOf(claimed: readonly Claimed[]): Map<string, ById> {
  const days = new Map<string, ById>();
  for (const one of claimed) {
    if (!one.args.startsWith("{")) continue;
    const [, id, day] = REFERENCE.exec(one.args) ?? [];
    if (id === undefined) continue;
    const byId = days.get(day) ?? new Map();
    days.set(day, byId.set(id, one));
  }
  return days;
}

/** What is found leaves the map; returns what was found and not fetched. */
async function fetchDay(run: Run, day: string, byId: ById, most: number): Promise<Claimed[]> {
  const withheld: Claimed[] = [];
  for (const { id, args, kwargs } of await run(SQL.CONTENTS, [day, bareArray([...byId.keys()]), most])) {
    const one = byId.get(id)!;
    if (args === null) withheld.push(one);
    else Object.assign(one, { args, kwargs });
    byId.delete(id);
  }
  return withheld;
}
