/**
 * Where events of jobs go, by the setting CALLBACK_QUEUE: into the table at once, or to the callback receiver, through
 * a table of the database or a list in Redis.
 *
 * @module
 */
import { type Db, json } from "../model/rows.ts";
import type { Settings } from "../model/settings.ts";
import type { EventStore, JobEvent } from "./events.ts";
import { isOutage } from "./outage.ts";

/** Open the store that the settings name. */
export async function eventStore(settings: Settings, db: Db): Promise<EventStore> {
  switch (settings.CALLBACK_QUEUE) {
    case "direct":
      return new DirectStore(db);
    case "postgres":
      return new PostgresQueue(db);
    case "redis":
      return await redisQueue(settings.CALLBACK_REDIS_URL, settings.CALLBACK_REDIS_KEY);
  }
}

const INSERT =
  `insert into awx.job_event (job_id, uuid, counter, event, created, host, play, task, role, failed,
    changed, start_line, end_line, stdout, event_data)
  select job_id, uuid, counter, event, created, host, play, task, role, failed, changed, start_line, end_line,
    stdout, event_data
  from jsonb_to_recordset($1::text::jsonb) as e (job_id bigint, uuid uuid, counter int, event text,
    created timestamptz, host text, play text, task text, role text, failed boolean, changed boolean,
    start_line int, end_line int, stdout text, event_data jsonb)
  on conflict do nothing`;

/** The job writes its events itself; its end is written with its verdict. */
class DirectStore implements EventStore {
  readonly #db: Db;

  constructor(db: Db) {
    this.#db = db;
  }

  isTransient = isOutage;

  async write(events: readonly JobEvent[]): Promise<void> {
    await this.#db.unsafe(INSERT, [json(events)] as never[]);
    const stats = events.find(({ event }) => event === "playbook_on_stats");
    if (!stats) return;
    await this.#db.unsafe(
      "update awx.unified_job set host_status_counts = $2::text::jsonb where id = $1::bigint",
      [stats.job_id, json(hostStatusCounts(stats.event_data))] as never[],
    );
  }

  close(): Promise<void> {
    return Promise.resolve();
  }
}

/** From the mildest to the worst: a host counts as the last that it is in. */
const HOST_STATUS = ["skipped", "ok", "changed", "failures", "dark"];

/**
 * How many hosts ended how, from the data of `playbook_on_stats`.
 *
 * @example
 * ```ts
 * import { hostStatusCounts } from "./event_stores.ts";
 *
 * hostStatusCounts({ ok: { a: 3, b: 1 }, dark: { b: 1 } }); // { ok: 1, dark: 1 }
 * ```
 */
export function hostStatusCounts(data: Record<string, unknown>): Record<string, number> {
  const worst = new Map<string, string>();
  for (const status of HOST_STATUS) {
    for (const host of Object.keys(data[status] ?? {})) worst.set(host, status);
  }
  const counts: Record<string, number> = {};
  for (const status of worst.values()) counts[status] = (counts[status] ?? 0) + 1;
  return counts;
}

/** What the receiver reads: an event a line, and the end of the job's. */
class PostgresQueue implements EventStore {
  readonly #db: Db;

  constructor(db: Db) {
    this.#db = db;
  }

  isTransient = isOutage;

  async write(events: readonly object[]): Promise<void> {
    await this.#db.unsafe(
      `insert into awx.job_event_queue (payload)
       select payload from jsonb_array_elements_text($1::text::jsonb) with ordinality e (payload, place)
       order by place`,
      [json(events.map((event) => JSON.stringify(event)))] as never[],
    );
    await this.#db.unsafe("select pg_notify('awx_job_event', '')");
  }

  async end(jobId: number, events: number): Promise<void> {
    await this.write([endOf(jobId, events)]);
  }

  close(): Promise<void> {
    return Promise.resolve();
  }
}

function endOf(jobId: number, events: number): object {
  return { event: "EOF", job_id: jobId, uuid: crypto.randomUUID(), final_counter: events };
}

async function redisQueue(url: string, key: string): Promise<EventStore> {
  const { Redis, ReplyError } = await import("ioredis");
  const redis = new Redis(url, { lazyConnect: true, maxRetriesPerRequest: 0, enableOfflineQueue: true });
  // Told by what fails; without a listener it would be printed as well.
  redis.on("error", () => {});
  const push = async (values: readonly object[]) => {
    await redis.rpush(key, ...values.map((value) => JSON.stringify(value)));
  };
  return {
    write: push,
    end: (jobId, events) => push([endOf(jobId, events)]),
    isTransient: (error) => !(error instanceof ReplyError),
    close: () => Promise.resolve(redis.disconnect()),
  };
}
