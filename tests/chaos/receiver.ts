/**
 * `deno run -A tests/chaos/receiver.ts [--events 1000000] [--source redis|postgres] [--runtime node]`: send events with 1 % of
 * poison and 1 % of duplicates to two receivers, kill one of them, restart the database and Redis meanwhile, and prove
 * that every good event is written once and every bad one is set aside. Exit code 1 when a law was broken.
 *
 * @module
 */
import { chmodSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { parseArgs } from "node:util";
import { Redis } from "ioredis";
import postgres from "postgres";
import { addJob, addTables, OwnRedis, ReceiverProcess } from "../awx/receiver/rig.ts";
import { eof, jobEvent, POISON } from "../awx/receiver/events.ts";
import type { Runtime } from "../harness/runtimes.ts";
import { OwnServer } from "./server.ts";

/** How a run is made. */
export interface ReceiverChaos {
  events: number;
  source: "redis" | "postgres";
  runtime?: Runtime;
  /** Seconds that the database and Redis are away, by default 3. */
  outage?: number;
  tell(line: string): void;
  signal?: AbortSignal;
}

/** What it came to. */
export interface ReceiverReport {
  sent: { good: number; repeated: number; poison: number };
  saved: number;
  /** Good events that are missing, and rows that are there more than once. */
  missing: number;
  double: number;
  /** Poisoned texts that were set aside, and what was set aside though it was good. */
  setAside: number;
  wrongly: number;
  /** Jobs whose stream is not closed, or closed with a gap. */
  open: number;
  left: number;
  seconds: number;
  faults: string[];
}

const KEY = "callback_tasks";
const JOBS = 20;
const PUSH = 500;
const GONE = 9_999_999;
/** Waiting events up to which is pushed: memory of Redis, and rows of the queue. */
const BACKLOG = 50_000;

/** Run it; what was started is gone when this resolves. */
export async function runReceiverChaos(options: ReceiverChaos): Promise<ReceiverReport> {
  const dir = mkdtempSync(join(tmpdir(), "edge-receiver-"));
  chmodSync(dir, 0o755);
  const server = await OwnServer.start(join(dir, "pg"), { max_connections: "60" });
  const redis = options.source === "redis" ? await OwnRedis.start() : undefined;
  const made = new Run(options, server, redis);
  try {
    return await made.run();
  } finally {
    await made.end();
    await redis?.stop("SIGKILL");
    await server.stop("immediate");
    rmSync(dir, { recursive: true, force: true });
  }
}

class Run {
  readonly #o: ReceiverChaos;
  readonly #server: OwnServer;
  readonly #redis: OwnRedis | undefined;
  readonly #sql: postgres.Sql;
  readonly #client: Redis | undefined;
  readonly #receivers: ReceiverProcess[] = [];
  readonly #faults: string[] = [];
  readonly #poison: string[] = [];
  readonly #jobs: number[] = [];
  readonly #sent = { good: 0, repeated: 0, poison: 0 };

  constructor(options: ReceiverChaos, server: OwnServer, redis: OwnRedis | undefined) {
    this.#o = options;
    this.#server = server;
    this.#redis = redis;
    this.#sql = postgres(server.url, { max: 2, onnotice: () => {} });
    if (redis) {
      this.#client = new Redis(redis.url, { maxRetriesPerRequest: 0, retryStrategy: () => 50 });
      this.#client.on("error", () => {});
    }
  }

  async run(): Promise<ReceiverReport> {
    await addTables(this.#server.url);
    for (let i = 0; i < JOBS; i++) this.#jobs.push(await addJob(this.#sql));
    await Promise.all([this.#start(), this.#start()]);
    const begun = performance.now();
    await Promise.all([this.#breakThings(), this.#produce()]);
    await this.#drained();
    const seconds = (performance.now() - begun) / 1_000;
    return { ...await this.#judge(), seconds, faults: this.#faults };
  }

  async #start(): Promise<void> {
    const args = [
      "--database-url",
      this.#server.url,
      "--no-http",
      ...this.#redis ? ["--redis", this.#redis.url] : [],
    ];
    const receiver = new ReceiverProcess(args, this.#o.runtime);
    this.#receivers.push(receiver);
    await receiver.ready();
  }

  /** Ends of streams are sent while the last of their events are not. */
  async #produce(): Promise<void> {
    const counters = new Map(this.#jobs.map((job) => [job, 0]));
    let batch: string[] = [];
    for (let i = 0; i < this.#o.events; i++) {
      this.#o.signal?.throwIfAborted();
      const job = this.#jobs[i % JOBS];
      const counter = counters.get(job)! + 1;
      counters.set(job, counter);
      const event = jobEvent({ job, counter });
      if (i % 100 === 99) {
        const text = POISON[(i / 100 | 0) % POISON.length].make(event, GONE);
        this.#poison.push(text);
        this.#sent.poison++;
        batch.push(text);
        // Its number must not be lacking.
        counters.set(job, counter - 1);
      } else {
        const text = JSON.stringify(event);
        this.#sent.good++;
        batch.push(text);
        if (i % 100 === 50) {
          this.#sent.repeated++;
          batch.push(text);
        }
      }
      if (i === this.#o.events - 1 - PUSH / 2) batch.push(...this.#ends(counters));
      if (batch.length >= PUSH) batch = await this.#push(batch);
    }
    await this.#push([...batch, ...this.#ends(counters)]);
  }

  #ends(counters: Map<number, number>): string[] {
    return [...counters].map(([job, last]) => eof(job, last));
  }

  /** Again until it is there: twice is no harm, which is the point. */
  async #push(batch: string[]): Promise<string[]> {
    for (;;) {
      try {
        if (await this.#waiting() < BACKLOG) {
          if (this.#client) await this.#client.rpush(KEY, ...batch);
          else await this.#sql`insert into awx.job_event_queue (payload) select unnest(${batch}::text[])`;
          if (!this.#client) await this.#sql`select pg_notify('awx_job_event', '')`;
          return [];
        }
      } catch {
        // Away.
      }
      await pause(20);
    }
  }

  async #waiting(): Promise<number> {
    if (this.#client) return await this.#client.llen(KEY);
    return (await this
      .#sql`select count(*)::int n from (select from awx.job_event_queue limit ${BACKLOG}) q`)[0].n;
  }

  /** One fault after the other, each after another part of the events was written. */
  async #breakThings(): Promise<void> {
    const { events, outage = 3 } = this.#o;
    await this.#reached(events * 0.15);
    this.#fault("kill -9 of a receiver");
    this.#receivers[0].kill("SIGKILL");
    await this.#receivers[0].exited;
    await this.#start();
    await this.#reached(events * 0.35);
    this.#fault(`immediate stop of PostgreSQL, away for ${outage} s`);
    await this.#server.stop("immediate");
    await pause(outage * 1_000);
    await this.#server.start();
    if (this.#redis) {
      await this.#reached(events * 0.55);
      this.#fault(`kill -9 of Redis, away for ${outage} s`);
      await this.#redis.stop("SIGKILL");
      await pause(outage * 1_000);
      await this.#redis.start();
    }
    await this.#reached(events * 0.75);
    this.#fault("kill -9 of the other receiver while it writes, and its restart");
    this.#receivers[1].kill("SIGKILL");
    await this.#receivers[1].exited;
    await this.#start();
  }

  #fault(text: string): void {
    this.#faults.push(text);
    this.#o.tell(text);
  }

  async #reached(saved: number): Promise<void> {
    for (;;) {
      this.#o.signal?.throwIfAborted();
      const [{ n }] = await this.#ask(() => this.#sql`select count(*)::int n from awx.job_event`);
      if (n >= saved) return;
      await pause(Math.max(50, Math.min(1_000, this.#o.events / 1_000)));
    }
  }

  /** Until nothing waits, nothing is held, and all streams are closed; or nothing has moved for a minute. */
  async #drained(): Promise<void> {
    let last = "";
    for (let since = performance.now(); performance.now() - since < 60_000;) {
      this.#o.signal?.throwIfAborted();
      const now = JSON.stringify([await this.#left(), await this.#open(), await this.#counts()]);
      if (now.startsWith("[0,0,")) return;
      if (now !== last) since = performance.now();
      last = now;
      await pause(200);
    }
  }

  async #left(): Promise<number> {
    if (!this.#client) return await this.#waiting();
    const lists = await this.#client.smembers(`${KEY}:taken`);
    const held = await Promise.all(lists.map((list) => this.#client!.llen(list)));
    return held.reduce((sum, n) => sum + n, await this.#waiting());
  }

  async #open(): Promise<number> {
    const [{ n }] = await this.#sql`select count(*)::int n from awx.unified_job
      where events_closed_at is null or job_explanation <> ''`;
    return n;
  }

  async #counts() {
    const [row] = await this.#sql`select (select count(*)::int from awx.job_event) saved,
      (select count(*)::int from awx.job_event_set_aside) aside`;
    return { saved: row.saved as number, aside: row.aside as number };
  }

  async #judge() {
    const { saved, aside } = await this.#counts();
    // Good events of a job have the numbers from 1 on, without gaps.
    const [{ distinct, missing }] = await this.#sql`
      select sum(n)::int as distinct, sum(greatest(last - n, 0))::int as missing from (
        select job_id, count(distinct (uuid, counter)) n, max(counter) last from awx.job_event group by job_id) j`;
    await this.#sql`create table sent (event text)`;
    for (let i = 0; i < this.#poison.length; i += 1_000) {
      await this.#sql`insert into sent select unnest(${this.#poison.slice(i, i + 1_000)}::text[])`;
    }
    const [{ found }] = await this.#sql`select count(*)::int found from awx.job_event_set_aside a
      where md5(event) in (select md5(event) from sent) and reason <> ''`;
    return {
      sent: this.#sent,
      saved,
      missing: Math.max(missing, this.#sent.good - distinct),
      double: saved - distinct,
      setAside: found as number,
      wrongly: aside - found,
      open: await this.#open(),
      left: await this.#left(),
    };
  }

  async #ask<T>(question: () => Promise<T>): Promise<T> {
    for (;;) {
      try {
        return await question();
      } catch {
        this.#o.signal?.throwIfAborted();
        await pause(50);
      }
    }
  }

  async end(): Promise<void> {
    const ended = await Promise.all(this.#receivers.map((receiver) => receiver.stop()));
    const odd = ended.filter(({ code, signal }) => code !== 0 && signal !== "SIGKILL");
    for (const { code } of odd) this.#o.tell(`A receiver ended with ${code}`);
    this.#client?.disconnect();
    await this.#sql.end({ timeout: 1 });
  }
}

/** What was broken; empty when every law held. */
export function broken(
  { sent, saved, missing, double, setAside, wrongly, open, left }: ReceiverReport,
): string[] {
  const laws: [boolean, string][] = [
    [saved === sent.good, `${saved} of ${sent.good} good events are written`],
    [missing === 0, `${missing} good events are missing`],
    [double === 0, `${double} rows are there more than once`],
    [setAside === sent.poison, `${setAside} of ${sent.poison} poisoned events are set aside`],
    [wrongly === 0, `${wrongly} events were set aside that are good`],
    [open === 0, `${open} streams are open, or were closed with a gap`],
    [left === 0, `${left} events are left`],
  ];
  return laws.filter(([held]) => !held).map(([, text]) => text);
}

if (import.meta.main) {
  const { values } = parseArgs({
    options: {
      events: { type: "string", default: "1000000" },
      source: { type: "string", default: "redis" },
      runtime: { type: "string", default: "node" },
    },
  });
  const interrupt = new AbortController();
  for (const signal of ["SIGINT", "SIGTERM"] as const) process.on(signal, () => interrupt.abort());
  const report = await runReceiverChaos({
    events: Number(values.events),
    source: values.source === "postgres" ? "postgres" : "redis",
    runtime: values.runtime as Runtime,
    tell: (line) => console.log(line),
    signal: interrupt.signal,
  });
  console.log(JSON.stringify(report, undefined, 2));
  const faults = broken(report);
  for (const line of faults) console.log(`BROKEN: ${line}`);
  process.exit(faults.length === 0 ? 0 : 1);
}
