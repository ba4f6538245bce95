/** Where a run leaves its trace: the table chaos_run, over a connection of its own that no fault of a proxy cuts. */
import process from "node:process";
import { connect, isTransient, type Sql } from "../../../runtime/store/connection.ts";

let sql: Sql | undefined;

/** Run a statement until the database has taken it. */
async function insist(text: string, params: (string | number | null)[]): Promise<void> {
  sql ??= connect(process.env.CHAOS_DATABASE_URL!, { max: 1, idleSeconds: 2, application: "chaos run" });
  for (;;) {
    try {
      await sql.unsafe(text, params);
      return;
    } catch (error) {
      if (!isTransient(error)) throw error;
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
  }
}

export interface RunMark {
  id: string;
  began: number;
}

/** A run began, at a time that was taken before the database was asked. */
export async function begin(
  uuid: string,
  attempt: number,
  worker: string,
  group: string | null,
): Promise<RunMark> {
  const mark = { id: crypto.randomUUID(), began: Date.now() };
  await insist(
    `insert into public.chaos_run (id, uuid, attempt, node, worker, grp, began)
     values ($1::uuid, $2::uuid, $3::int, $4, $5, $6, to_timestamp($7::float8 / 1000))`,
    [mark.id, uuid, attempt, process.env.CHAOS_NODE!, worker, group, mark.began],
  );
  return mark;
}

/** It is about to end. */
export async function end(mark: RunMark): Promise<void> {
  const now = Date.now();
  await insist("update public.chaos_run set ended = to_timestamp($2::float8 / 1000) where id = $1::uuid", [
    mark.id,
    now,
  ]);
}
