/**
 * Work for a node, and when it is done.
 *
 * @module
 */
import { setTimeout as rest } from "node:timers/promises";
import postgres from "postgres";
import { type Client, connect } from "../mod.ts";

/** One who publishes and looks. */
export interface Load {
  readonly sql: postgres.Sql;
  /** Publish so many no-op envelopes, a thousand at a time. */
  publish(count: number): Promise<void>;
  /** Resolves when all that it has published is final. */
  drained(): Promise<void>;
  /** Publish and drain; envelopes a second. */
  burst(count: number): Promise<number>;
  close(): Promise<void>;
}

/** Open a load on a database. */
export async function openLoad(url: string): Promise<Load> {
  const client: Client = await connect({ databaseUrl: url });
  // Nobody has analyzed the archive: it would be read as a whole to count the last thousands of it.
  const connection = { enable_seqscan: "off" };
  // Its look at the server's types would be counted as ours.
  const sql = postgres(url, { max: 2, onnotice: () => {}, connection, fetch_types: false });
  // What was published since when, by the database's clock. Counted in the archive: to find the hot table empty is
  // slow just when it is interesting.
  let since = new Date(0);
  let published = 0;
  const drained = async () => {
    for (;;) {
      const [{ final }] = await sql`
        select /* bench */ count(*)::int final from dispatcher.archive where finished_at >= ${since}`;
      if (final >= published) break;
      await rest(10);
    }
    [{ since }] = await sql`select /* bench */ clock_timestamp() since`;
    published = 0;
  };
  const publish = async (count: number) => {
    published += count;
    for (let left = count; left > 0; left -= 1_000) {
      const calls = Array.from({ length: Math.min(1_000, left) }, (_, i) => ({
        task: "examples/add",
        args: [i, 1],
      }));
      await client.publishMany(calls);
    }
  };
  return {
    sql,
    publish,
    drained,
    async burst(count) {
      await drained();
      const began = performance.now();
      await publish(count);
      await drained();
      return count / (performance.now() - began) * 1_000;
    },
    async close() {
      await client.close();
      await sql.end({ timeout: 1 });
    },
  };
}
