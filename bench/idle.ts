/**
 * What does a node cost that has nothing to do? Statements as the server counts them, and CPU of the dispatcher and its
 * hosts. The node is alone in its database, so it leads: what the leader looks after is in it.
 *
 * @module
 */
import { setTimeout as rest } from "node:timers/promises";
import postgres from "postgres";
import type { Runtime } from "../tests/harness/runtimes.ts";
import { cpuSeconds } from "./proc.ts";
import { type Answer, OURS, type Question, rounded, type Row } from "./question.ts";
import type { Site } from "./site.ts";

/** Until what a start leads to is over: engines collect their garbage, the leader looks at everything once. */
const SETTLE_SECONDS = 15;
const PARTS = 5;

export default {
  question:
    "statements a minute, and CPU in percent of a core, of a node with 4 slots that has nothing to do",
  async run(site) {
    const answer: Answer = {};
    for (const runtime of site.runtimes) answer[runtime] = [await measure(site, runtime)];
    return answer;
  },
} satisfies Question;

async function measure(site: Site, runtime: Runtime): Promise<Row> {
  const url = await site.database();
  const node = await site.node(url, "idle", { runtime });
  const sql = postgres(url, { max: 1, onnotice: () => {} });
  await sql`create extension if not exists pg_stat_statements`;
  await rest(SETTLE_SECONDS * 1_000);
  const seconds = site.quick ? 15 : 60;
  const before = await counts(sql);
  const parts: number[] = [];
  const [beganAll, usedAll] = [performance.now(), cpuSeconds(node.pid)];
  for (let part = 0; part < PARTS; part++) {
    const [began, used] = [performance.now(), cpuSeconds(node.pid)];
    await rest(seconds * 1_000 / PARTS);
    parts.push((cpuSeconds(node.pid) - used) / (performance.now() - began) * 100_000);
  }
  const cpu = (cpuSeconds(node.pid) - usedAll) / (performance.now() - beganAll) * 100_000;
  const after = await counts(sql);
  await sql.end();
  await node.stop();
  await site.drop(url);
  const perMinute = [...after].map(([query, calls]): [string, number] => [
    query,
    (calls - (before.get(query) ?? 0)) * 60 / seconds,
  ]).filter(([, calls]) => calls > 0).sort(([, a], [, b]) => b - a);
  for (const [query, calls] of perMinute) site.tell(`${runtime}: ${calls} a minute: ${query}`);
  return {
    peer: OURS,
    statements_per_minute: rounded(perMinute.reduce((sum, [, calls]) => sum + calls, 0)),
    // Of all, since what comes once a minute counts as well; the least and the most of the parts beside it.
    cpu_percent: rounded(cpu),
    cpu_percent_min: rounded(Math.min(...parts)),
    cpu_percent_max: rounded(Math.max(...parts)),
  };
}

/** Calls by statement, with the beginning of its text. */
async function counts(sql: postgres.Sql): Promise<Map<string, number>> {
  const rows = await sql`
    select /* bench */ left(regexp_replace(query, '\\s+', ' ', 'g'), 100) text, sum(calls)::float8 calls
    from pg_stat_statements
    where dbid = (select oid from pg_database where datname = current_database())
      and query not like '%/* bench */%'
    group by 1`;
  return new Map(rows.map(({ text, calls }) => [text, calls]));
}
