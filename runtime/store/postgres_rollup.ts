/**
 * The rollup on PostgreSQL.
 *
 * @module
 */
import type { Sql } from "./connection.ts";
import type * as Port from "./rollup.ts";
import * as SQL from "./sql_rollup.ts";
import { type Param, type Row, runStatement } from "./statements.ts";

/** The rollup over a connection pool that somebody else closes. */
export class PostgresRollup implements Port.RollupStore {
  readonly #sql: Sql;

  constructor(sql: Sql) {
    this.#sql = sql;
  }

  #run(text: string, params: Param[] = []): Promise<Row[]> {
    return runStatement(this.#sql, text, params);
  }

  async write(node: string, rows: Port.RollupRow[]): Promise<void> {
    if (rows.length > 0) await this.#run(SQL.ROLL, [node, JSON.stringify(rows)]);
  }

  async writeStates(age: number): Promise<void> {
    await this.#run(SQL.ROLL_STATES, [age]);
  }

  async read({ seconds, step, queue }: Port.RollupAsk): Promise<Port.RollupPoint[]> {
    return await this.#run(SQL.ROLLED, [seconds, step, queue ?? null]);
  }

  async prune(days: number): Promise<void> {
    await this.#run(SQL.PRUNE_ROLLUP, [days]);
  }
}
