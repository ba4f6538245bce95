/**
 * Events of jobs a second that the callback receiver writes, beside a plain COPY of the same rows into the same table;
 * and how late they come at 5,000 a second.
 *
 * @module
 */
import { setTimeout as rest } from "node:timers/promises";
import { Redis } from "ioredis";
import postgres from "postgres";
import { jobEvent } from "../tests/awx/receiver/events.ts";
import { addJob, addTables } from "../tests/awx/receiver/rig.ts";
import { percentile, type Question, rounded, type Row, spread, withRatio } from "./question.ts";
import { takeTurns } from "./rounds.ts";
import type { Site } from "./site.ts";

const KEY = "callback_tasks";
const JOBS = 10;
/** Events a second of the second part, in steps of so many milliseconds. */
const RATE = 5_000;
const STEP_MS = 10;
const COLUMNS = [
  ...["job_id", "uuid", "counter", "event", "created", "host", "play", "task", "role", "failed", "changed"],
  ...["start_line", "end_line", "stdout", "event_data"],
] as const;
/** Of a COPY at once. */
const CHUNK_ROWS = 500;

const SOURCES = ["redis", "postgres"] as const;
/** Events before the first that are measured. */
const WARM = 20_000;

type Source = (typeof SOURCES)[number];
type Event = ReturnType<typeof jobEvent>;

interface Place {
  site: Site;
  sql: postgres.Sql;
  redis: Redis;
  jobs: number[];
}

export default {
  question: "events/s that are written from a backlog, and the lag at 5,000 events/s",
  async run(site) {
    const url = await site.database();
    await addTables(url);
    const sql = postgres(url, { max: 4, onnotice: () => {} });
    const server = await site.redis();
    const redis = new Redis(server.url);
    const jobs: number[] = [];
    for (let i = 0; i < JOBS; i++) jobs.push(await addJob(sql));
    const place: Place = { site, sql, redis, jobs };
    const receivers = [await site.receiver(url, ["--redis", server.url]), await site.receiver(url)];
    // They run for as long as the machine does, as a rule.
    for (const source of SOURCES) await receive(place, source, eventsOf(place, WARM));
    const rows = await backlogs(place, url);
    const lags: Row[] = [];
    for (const source of SOURCES) lags.push(await lag(place, source));
    for (const receiver of receivers) await receiver.stop();
    redis.disconnect();
    await sql.end({ timeout: 1 });
    return { [site.runtime]: [...rows, ...lags] };
  },
} satisfies Question;

async function backlogs(place: Place, url: string): Promise<Row[]> {
  const { site } = place;
  const count = site.quick ? 50_000 : 200_000;
  const measured = await takeTurns(site, ["copy", ...SOURCES] as const, async (one) => {
    await place.sql`truncate awx.job_event, awx.job_event_queue`;
    await site.settle(url);
    const events = eventsOf(place, count);
    return count / (one === "copy" ? await copy(place, events) : await receive(place, one, events));
  });
  const rows = [...measured].map(([one, rates]): Row => ({
    peer: one === "copy" ? "COPY, one statement" : `edge-dispatcher, ${one}`,
    events: count,
    ...spread("events_per_s", rates),
  }));
  return withRatio(rows, "events_per_s");
}

function eventsOf({ jobs }: Place, count: number): Event[] {
  return Array.from(
    { length: count },
    (_, i) => jobEvent({ job: jobs[i % JOBS], counter: Math.floor(i / JOBS) + 1 }),
  );
}

/** Seconds of a COPY whose text is there before. */
async function copy({ sql }: Place, events: Event[]): Promise<number> {
  const chunks: string[] = [];
  for (let i = 0; i < events.length; i += CHUNK_ROWS) {
    chunks.push(events.slice(i, i + CHUNK_ROWS).map(copyLine).join(""));
  }
  const begun = performance.now();
  const stream = await sql.unsafe(`copy awx.job_event (${COLUMNS.join(", ")}) from stdin`).writable();
  for (const chunk of chunks) {
    if (!stream.write(chunk)) await new Promise((resolve) => stream.once("drain", resolve));
  }
  await new Promise((resolve, reject) => stream.once("finish", resolve).once("error", reject).end());
  return (performance.now() - begun) / 1_000;
}

const ESCAPES: Record<string, string> = { "\\": "\\\\", "\n": "\\n", "\r": "\\r", "\t": "\\t" };

function copyLine(event: Event): string {
  const cells = COLUMNS.map((column) => {
    const value = event[column];
    const text = typeof value === "object" ? JSON.stringify(value) : String(value);
    return text.replace(/[\\\n\r\t]/g, (character) => ESCAPES[character]);
  });
  return `${cells.join("\t")}\n`;
}

/** Seconds from the moment at which all is there, for a receiver that waits, until all is written. */
async function receive({ sql, redis }: Place, source: Source, events: Event[]): Promise<number> {
  const texts = events.map((event) => JSON.stringify(event));
  const last = events.at(-1)!;
  let begun: number;
  if (source === "redis") {
    for (let i = 0; i < texts.length; i += 1_000) await redis.rpush("bench", ...texts.slice(i, i + 1_000));
    // At rest: what was pushed may have made it write its log anew.
    while (/aof_rewrite_(?:in_progress|scheduled):1/.test(await redis.info("persistence"))) await rest(20);
    begun = performance.now();
    await redis.rename("bench", KEY);
  } else {
    await sql.begin(async (tx) => {
      for (let i = 0; i < texts.length; i += 10_000) {
        const part = texts.slice(i, i + 10_000);
        await tx`insert into awx.job_event_queue (payload) select unnest(${part}::text[])`;
      }
      await tx`select pg_notify('awx_job_event', 'FLUSH')`;
    });
    begun = performance.now();
  }
  // By the primary key: any other look would cost the server a part of what is measured.
  const found = async () =>
    (await sql`select from awx.job_event where job_id = ${last.job_id} and uuid = ${last.uuid}
      and created = ${last.created}`).length > 0;
  while (!await found()) await rest(5);
  const written = async () => (await sql`select count(*)::int n from awx.job_event`)[0].n;
  while (await written() < events.length) await rest(5);
  return (performance.now() - begun) / 1_000;
}

/** Seconds from the push of an event to when somebody else can read it; of one in fifty, each a row of its own job. */
async function lag({ sql, redis, site }: Place, source: Source): Promise<Row> {
  const [main, marked] = [await addJob(sql), await addJob(sql)];
  const steps = (site.quick ? 8 : 30) * 1_000 / STEP_MS;
  const pushed = new Map<number, number>();
  const seen: number[] = [];
  let producing = true;
  const watching = (async () => {
    while (producing || seen.length < pushed.size) {
      const rows = await sql`select counter from awx.job_event where job_id = ${marked} and counter > ${
        seen.length - 100
      }`;
      const now = performance.now();
      for (const { counter } of rows) {
        const at = pushed.get(counter);
        if (at === undefined) continue;
        pushed.delete(counter);
        seen.push((now - at) / 1_000);
      }
      if (!producing && pushed.size === 0) return;
      await rest(5);
    }
  })();
  const begun = performance.now();
  let counter = 0;
  for (let step = 1; step <= steps; step++) {
    const events = Array.from(
      { length: RATE * STEP_MS / 1_000 - 1 },
      () => jobEvent({ job: main, counter: ++counter }),
    );
    const texts = [...events, jobEvent({ job: marked, counter: step })].map((event) => JSON.stringify(event));
    pushed.set(step, performance.now());
    if (source === "redis") await redis.rpush(KEY, ...texts);
    else {
      await sql`with put as (insert into awx.job_event_queue (payload) select unnest(${texts}::text[]))
        select pg_notify('awx_job_event', '')`;
    }
    await rest(Math.max(0, begun + step * STEP_MS - performance.now()));
  }
  const rate = steps * RATE * STEP_MS / (performance.now() - begun);
  producing = false;
  await watching;
  return {
    peer: `lag, ${source}`,
    events: steps * RATE * STEP_MS / 1_000,
    events_per_s: rounded(rate),
    lag_p50_s: rounded(percentile(seen, 0.5)),
    lag_p95_s: rounded(percentile(seen, 0.95)),
    lag_max_s: rounded(Math.max(...seen)),
  };
}
