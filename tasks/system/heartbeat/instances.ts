/**
 * The statements of the heartbeat.
 *
 * @module
 */
import { type Db, json } from "../../jobs/model/rows.ts";

/** What a node says of itself. */
export interface Beat {
  hostname: string;
  cpu: number;
  memoryMb: number;
  cpuCapacity: number;
  memCapacity: number;
  resources: Record<string, number>;
  version: string;
  /** It takes no jobs now. */
  draining: boolean;
  errors: string;
}

/** Whether and how much an instance is used is the operator's to say; the heartbeat keeps to it. */
const BEAT = `
insert into awx.instance as i (hostname, cpu, memory_mb, cpu_capacity, mem_capacity, resources, version, errors,
  last_seen, capacity)
values ($1::text, $2::numeric, $3::bigint, $4::int, $5::int, $6::text::jsonb, $7::text, $8::text, clock_timestamp(),
  case when $9::boolean then 0 else greatest($4::int, $5::int) end)
on conflict (hostname) do update set
  cpu = excluded.cpu, memory_mb = excluded.memory_mb, cpu_capacity = excluded.cpu_capacity,
  mem_capacity = excluded.mem_capacity, resources = excluded.resources, version = excluded.version,
  errors = excluded.errors, last_seen = excluded.last_seen,
  capacity = case when $9::boolean or not i.enabled then 0
    else least(excluded.cpu_capacity, excluded.mem_capacity) + floor(
      abs(excluded.cpu_capacity - excluded.mem_capacity) * i.capacity_adjustment)::int end
returning capacity`;

/** Write it down; returns the capacity that it has by it. */
export async function writeBeat(db: Db, beat: Beat): Promise<number> {
  const [{ capacity }] = await db.unsafe(
    BEAT,
    [
      beat.hostname,
      beat.cpu,
      beat.memoryMb,
      beat.cpuCapacity,
      beat.memCapacity,
      json(beat.resources),
      beat.version,
      beat.errors,
      beat.draining,
    ] as never[],
  );
  return capacity as number;
}

/** Whether another one that has capacity, or open jobs, was not heard of for so long. */
export async function anySilent(db: Db, hostname: string, seconds: number): Promise<boolean> {
  const [{ silent }] = await db.unsafe(
    `select exists (select from awx.instance i where hostname <> $1::text
       and last_seen < clock_timestamp() - make_interval(secs => $2::float8)
       and (capacity > 0 or exists (select from awx.unified_job j
         where j.execution_node = i.hostname and j.status in ('waiting', 'running')))) silent`,
    [hostname, seconds] as never[],
  );
  return silent as boolean;
}
