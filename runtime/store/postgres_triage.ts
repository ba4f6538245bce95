/**
 * Choosing what goes first, on PostgreSQL.
 *
 * @module
 */
import { resourcesOf, resourcesText } from "../resources.ts";
import { arrayLiteral } from "./connection.ts";
import { fetchContents } from "./postgres_content.ts";
import { claimedOf } from "./postgres_exchange.ts";
import { OperatorStatements } from "./postgres_operator.ts";
import * as SQL from "./sql_triage.ts";
import type { Param, Row } from "./statements.ts";
import type { Claimed, Token } from "./store.ts";
import type { Asked, Contender, TriageStore } from "./triage.ts";

/** The operator's half of the store, and the choosing of nodes. */
export class TriageStatements extends OperatorStatements implements TriageStore<Claimed> {
  readonly #run: (text: string, params?: Param[]) => Promise<Row[]>;
  // Where the next look begins, when there were more kinds than one look has.
  #behind = "";

  constructor(run: (text: string, params?: Param[]) => Promise<Row[]>) {
    super(run);
    this.#run = run;
  }

  async contenders(queues: string[], each: number): Promise<Contender[]> {
    const rows = await this.#run(SQL.CONTENDERS, [arrayLiteral(queues), each, this.#behind]);
    this.#behind = placeBehind(rows);
    return rows.map((row) => ({
      ...row,
      demand: row.demand === null ? null : resourcesOf(row.demand) ?? {},
    }));
  }

  async claimAsking(node: string, instance: string, uuids: string[]): Promise<Claimed[]> {
    const claimed = (await this.#run(SQL.CLAIM_ASKING, [arrayLiteral(uuids), node, instance])).map(claimedOf);
    await fetchContents(this.#run, claimed);
    return claimed;
  }

  async ask(instance: string, asked: Asked[]): Promise<Set<string>> {
    const rows = await this.#run(SQL.ASK, [
      instance,
      arrayLiteral(asked.map(({ uuid }) => uuid)),
      arrayLiteral(asked.map(({ fence }) => fence)),
      arrayLiteral(asked.map(({ demand }) => resourcesText(demand))),
      arrayLiteral(asked.map(({ demand }) => JSON.stringify(demand))),
    ]);
    return new Set(rows.map(({ uuid }) => uuid));
  }

  async preempt(instance: string, tokens: Token[], most: number): Promise<Set<string>> {
    const uuids = arrayLiteral(tokens.map(({ uuid }) => uuid));
    const fences = arrayLiteral(tokens.map(({ fence }) => fence));
    return new Set((await this.#run(SQL.PREEMPT, [instance, uuids, fences, most])).map(({ uuid }) => uuid));
  }
}

/** Behind the first of the queues' last demands when a look was full, so that none is left out; else at the beginning. */
function placeBehind(rows: Row[]): string {
  const last = new Map<string, string>();
  const kinds = new Set<string>();
  for (const { queue, demand, priority } of rows) {
    if (demand === null) continue;
    kinds.add(`${priority} ${demand} ${queue}`);
    if (demand > (last.get(queue) ?? "")) last.set(queue, demand);
  }
  return kinds.size < SQL.MOST_KINDS ? "" : [...last.values()].sort()[0];
}
