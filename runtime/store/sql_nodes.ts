/**
 * The statements of nodes: names, leases, the leader, and the rescue of what dead ones hold.
 *
 * @module
 */
import { WHOLE } from "./sql_look.ts";
import { held } from "./sql_rows.ts";

/** Take a name: free, lapsed, stopped, or held by an instance that is known to be dead. */
export const REGISTER = `
insert into dispatcher.node as n (name, instance, runtime, version, host, pid, boot, state, min_slots, max_slots,
  queues, lease_until, schedules, contents)
values ($1, $2::uuid, $3, $4, $5, $6, $7, 'running', $8, $9, $10::text[],
  clock_timestamp() + $11::float8 * interval '1 second', $13::text::json, $2::uuid)
on conflict (name) do update set
  instance = excluded.instance, runtime = excluded.runtime, version = excluded.version, host = excluded.host,
  pid = excluded.pid, boot = excluded.boot, state = 'running', min_slots = excluded.min_slots,
  max_slots = excluded.max_slots, slots = 0, busy = 0, listener = 'connected', rss = null, queues = excluded.queues,
  started_at = clock_timestamp(), last_seen = clock_timestamp(), lease_until = excluded.lease_until,
  schedules = excluded.schedules, contents = excluded.contents, vigil_until = null
where n.lease_until <= clock_timestamp() or n.state in ('stopped', 'lost') or n.instance = $12::uuid
returning n.name`;

/** Renew the lease, stand for leader, and learn what concerns this node. */
export const HEARTBEAT = `
with me as (
  update dispatcher.node set last_seen = clock_timestamp(), state = $2, slots = $3, busy = $4,
    listener = $7, rss = $8, min_slots = $9, max_slots = $10,
    resources = $11::text::json, lease_until = clock_timestamp() + $5::float8 * interval '1 second'
  where instance = $1::uuid and state not in ('lost', 'stopped')
  returning name
), led as (
  update dispatcher.leader set instance = $1::uuid, until = clock_timestamp() + $6::float8 * interval '1 second'
  where $2 = 'running' and exists (select from me)
    and (instance = $1::uuid or instance is null or until < clock_timestamp())
  returning one
)
select exists (select from me) alive, exists (select from led) leader,
  coalesce((select json_agg(uuid) from dispatcher.envelope
    where instance = $1::uuid and state = 'running' and cancel_at is not null), '[]') cancels,
  exists (select from dispatcher.broadcast b join dispatcher.node n on n.instance = $1::uuid
    where b.expires_at > clock_timestamp() and b.created_at >= n.joined_at
      and not exists (select from dispatcher.delivery d where d.broadcast = b.uuid and d.node = n.name)) broadcasts,
  exists (select from dispatcher.node where state in ('running', 'draining') and lease_until <= clock_timestamp()
    or state = 'lost' and last_seen > clock_timestamp() - interval '5 minutes') lapsed,
  (select count(*)::int from dispatcher.node n join dispatcher.node own on own.instance = $1::uuid
    where n.queues && own.queues and n.state = 'running' and n.lease_until > clock_timestamp()) sharing,
  (select json_build_object('free', free and exists (select from pg_stat_get_activity(pid)), 'handed', handed)
    from dispatcher.on_call where instance = $1::uuid) on_call`;

/** What is lost of these statements in a crash is found out: nobody waits for the disk. */
const AT_EASE = "quick as materialized (select set_config('synchronous_commit', 'off', true))";

/**
 * Say that a node has nothing to do: the next envelope may be handed to it. What old transactions keep of the table may grow
 * no larger than 64 kB, and 1 kB for each node, since whoever publishes reads it; from there on rows go, so that a VACUUM
 * can make it small again. Index: on_call_pkey.
 */
export const ON_CALL = `
with ${AT_EASE}, room as materialized (
  select pg_relation_size('dispatcher.on_call') <= 65536 + 1024 * (select count(*) from dispatcher.node) there from quick
), gone as (
  delete from dispatcher.on_call where instance = $1::uuid and not (select there from room)
  returning handed
), put as (
  insert into dispatcher.on_call as c (instance, node, queues, channel, pid, free)
  select $1::uuid, $2, $3::text[], $4, pg_backend_pid(), true from room where there
  on conflict (instance) do update set free = true, pid = excluded.pid
  returning handed
)
select handed, true "can" from put union all select handed, false from gone`;

/**
 * Say that it has: once this has returned, nothing more is handed to it. The row stays for the next time: changed in its
 * place it leaves nothing for VACUUM. Index: on_call_pkey.
 */
export const OFF_CALL = `
with ${AT_EASE}
update dispatcher.on_call set free = false from quick where instance = $1::uuid and free`;

/** Nobody need wake it for a second: it looks by itself (0023_vigil.sql). */
export const KEEP_VIGIL = `
update dispatcher.node set vigil_until = clock_timestamp() + interval '1 second'
where instance = $1::uuid and state = 'running'`;

/** End a lease and hand the leadership on at once. */
export const UNREGISTER = `
with stopped as (
  update dispatcher.node set state = 'stopped', lease_until = clock_timestamp(), last_seen = clock_timestamp(),
    slots = 0, busy = 0
  where instance = $1::uuid
), gone as (
  delete from dispatcher.on_call where instance = $1::uuid
)
update dispatcher.leader set instance = null, until = '-infinity' where instance = $1::uuid`;

/** What is held for an instance that has no live lease, when that is looked for. */
const ORPHANED = held(
  "e",
  `(
    $1::boolean or exists (select from lost) or exists (
      select from dispatcher.node where state = 'lost' and last_seen > clock_timestamp() - interval '5 minutes')
  ) and (
    h.instance in (select instance from lost) or not exists (
      select from dispatcher.node n where n.instance = h.instance and n.state in ('running', 'draining')))`,
);

/**
 * Give back what is held by an instance that has no live lease, without charging the attempt, and end what
 * somebody had asked to cancel. It is looked for only when a node was lost just now or lately, or when told ($1): while an
 * old transaction is open, all that ever was held is passed over. Told, it says as well for whom anything is listed.
 * Indexes: held_instance, primary key.
 */
export const RESCUE: string = `
with lost as (
  update dispatcher.node set state = 'lost', slots = 0, busy = 0
  where lease_until <= clock_timestamp() and state in ('running', 'draining')
    -- While the server was down nobody could renew: first everybody may.
    and pg_postmaster_start_time() + greatest((lease_until - last_seen) / 3, interval '3 seconds') <= clock_timestamp()
  returning instance
), orphan as materialized (
  -- Through lost, not by looking at the leases again: one that is renewed at this moment stays unlost, and so
  -- must what it holds.
  select e.uuid from dispatcher.envelope e
  where ${ORPHANED} and e.state = 'running' and (
    e.instance in (select instance from lost) or not exists (
      select from dispatcher.node n where n.instance = e.instance and n.state in ('running', 'draining')))
  for update skip locked
), ended as (
  delete from dispatcher.envelope e
  where e.uuid = any(array(select uuid from orphan)) and e.state = 'running' and e.cancel_at is not null
  returning e.*
), archived as (
  insert into dispatcher.archive (uuid, origin, queue, task, args, kwargs, options, state, priority, attempt,
    max_attempts, timeout, time_pub, created_at, node, claimed_at, finished_at, progress, error, attempts, fence, solo,
    forgiven, dedupe)
  select uuid, origin, queue, task, ${WHOLE}, options,
    case when discard_reason is null then 'cancelled' else 'discarded' end, priority, attempt, max_attempts, timeout,
    time_pub, created_at, node, claimed_at, clock_timestamp(), progress,
    case when discard_reason is null then error
      else json_build_object('name', 'Discarded', 'message', discard_reason) end,
    attempts, fence, solo, forgiven, dedupe from ended
), rescued as (
  update dispatcher.envelope e set state = 'available', attempt = e.attempt - 1, node = null, instance = null,
    claimed_at = null, aside = false,
    attempts = e.attempts || json_build_object('attempt', e.attempt, 'node', e.node, 'worker', null,
      'started_at', to_char(e.claimed_at at time zone 'utc', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"'),
      'finished_at', to_char(clock_timestamp() at time zone 'utc', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"'),
      'outcome', 'released',
      'error', json_build_object('name', 'NodeLost', 'message', format('Node "%s" lost its lease', e.node)))
  where e.uuid = any(array(select uuid from orphan)) and e.state = 'running' and e.cancel_at is null
  returning e.queue
)
select queue, count(*)::int as rescued, null as holder from rescued group by queue
union all
select null, 0, instance::text from (select distinct instance from dispatcher.held where $1::boolean) h`;

/** So many rows of the list are tidied in one statement. */
export const TIDIED_AT_ONCE = 200;
/** Forget, of a part of what was claimed for an instance, what runs no more. Claims of nodes that live do it as they go. */
export const TIDY = `select "rows" from dispatcher.tidy($1::uuid)`;

/** The nodes, live ones first. */
export const NODES = `
select n.name, n.instance::text, runtime, version, host, pid, boot, state,
  lease_until > clock_timestamp() and state in ('running', 'draining') alive,
  min_slots "min", max_slots "max", slots, busy, listener, rss::float8 rss,
  -- What an instance of before has told is not this one's.
  case when resources ->> 'instance' = n.instance::text then resources::jsonb - 'instance' end resources, to_json(queues) queues, started_at, last_seen, lease_until,
  coalesce(l.instance = n.instance and l.until > clock_timestamp(), false) leader
from dispatcher.node n left join dispatcher.leader l on true
order by alive desc, name`;
