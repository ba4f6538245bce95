/**
 * The statements of an operator's hands: giving up what waits or runs, bringing back what is dead, and looking at the
 * dead. As in sql.ts, each that locks comes in two forms: for many, which leaves out what somebody has locked, and for
 * one, which waits: a statement that waits and holds other locks meanwhile would be a deadlock with an exchange.
 *
 * @module
 */

import { SHOWN_STATE, WHOLE } from "./sql_look.ts";

const kept = (content: string) =>
  `uuid, origin, queue, task, ${content}, options, priority, attempt, max_attempts, timeout, time_pub,
    created_at, progress, attempts, fence, solo, forgiven, dedupe`;
/** What the archive takes of a row. */
const KEPT = kept("args, kwargs");
/** The same as it is read, with the content beside it: nobody knows how long the row has waited. */
const READ = kept(WHOLE);

const discarding = (lock: string) => `
with held as materialized (
  select uuid, state from dispatcher.envelope where uuid = any($1::uuid[]) for update${lock}
), gone as (
  delete from dispatcher.envelope where uuid in (select uuid from held where state <> 'running') returning *
), archived as (
  insert into dispatcher.archive (${KEPT}, state, finished_at, error)
  select ${READ}, 'discarded', clock_timestamp(), json_build_object('name', 'Discarded', 'message', $2::text) from gone
), asked as (
  update dispatcher.envelope set cancel_at = coalesce(cancel_at, clock_timestamp()), discard_reason = $2
  where uuid in (select uuid from held where state = 'running') returning uuid, node
)
select uuid::text, 'discarded' did, null node, queue from gone
union all select uuid::text, 'requested', node, null from asked
union all select uuid::text, state, node, null from dispatcher.archive where uuid = any($1::uuid[])`;

/** Give up what has not begun, and ask for the end of what runs. Indexes: primary key, archive_uuid. */
export const DISCARD: string = discarding("");
/** The same for many, without those that somebody has locked. */
export const DISCARD_FREE: string = discarding(" skip locked");

const retrying = (lock: string) => `
with held as materialized (
  select uuid from dispatcher.envelope
  where uuid = any($1::uuid[]) and state in ('scheduled', 'retryable') for update${lock}
), hurried as (
  update dispatcher.envelope set state = case when blocked then state else 'available' end, due_at = null
  where uuid = any(array(select uuid from held))
  returning uuid, queue, blocked
), dead as materialized (
  select uuid from dispatcher.archive
  where uuid = any($1::uuid[]) and state in ('cancelled', 'discarded') for update${lock}
), gone as (
  delete from dispatcher.archive where uuid = any(array(select uuid from dead)) returning *
), keyed as (
  -- One with a rule for duplicates never lies apart.
  select gone.*, coalesce(dedupe, case
    when dispatcher.text_of(options, 'on_duplicate') in ('discard', 'serial', 'queue_one')
      then dispatcher.dedupe_key(queue, task, args, kwargs) end) key
  from gone
), revived as (
  insert into dispatcher.envelope (uuid, origin, queue, task, args, kwargs, options, priority, attempt, max_attempts,
    timeout, time_pub, created_at, progress, attempts, solo, error, state, forgiven, fence, dedupe, blocked)
  select uuid, origin, queue, task, ${WHOLE}, options, priority, attempt, max_attempts,
    timeout, time_pub, created_at, progress, attempts, solo, error,
    -- Blocked, whether there is a head or not: only the stager, which sees them all, lets one of a key go.
    case when key is null then 'available' else 'scheduled' end, attempt,
    -- Archived without its fence by an older node: a number that it cannot have reached.
    coalesce(fence, greatest(attempt, cardinality(attempts)) + 1000000), key, key is not null
  from keyed order by created_at, uuid
  returning uuid, queue, blocked
)
select uuid::text, case when blocked then 'blocked' else 'retried' end did, null node, queue from hurried
union all select uuid::text, case when blocked then 'blocked' else 'retried' end, null, queue from revived
union all select uuid::text, ${SHOWN_STATE}, node, null from dispatcher.envelope
  where uuid = any($1::uuid[]) and state in ('available', 'asking', 'running')
union all select uuid::text, state, node, null from dispatcher.archive
  where uuid = any($1::uuid[]) and state = 'completed'`;

/**
 * Bring back what is dead, with a new allowance of attempts, and let go at once what waits for a time. Who deletes the
 * row of the archive brings it back: of ten callers nine find it gone. Indexes: primary key, archive_uuid.
 */
export const RETRY: string = retrying("");
/** The same for many, without those that somebody has locked. */
export const RETRY_FREE: string = retrying(" skip locked");

/** Which of these there are: in one look, since they may be on their way from one table to the other. */
export const KNOWN = `
select uuid::text from dispatcher.envelope where uuid = any($1::uuid[])
union select uuid::text from dispatcher.archive where uuid = any($1::uuid[])`;

/** The last number drawn: what comes later is not purged, or a purge would not end while somebody publishes. */
export const LAST_ID = `select coalesce(max(id), 0)::float8 id from dispatcher.envelope`;

/** Cancel what waits in a queue, up to a number; what somebody has locked is about to run. */
export const PURGE = `
with held as materialized (
  select uuid from dispatcher.envelope
  where queue = $1 and state <> 'running' and id <= $2 limit $3 for update skip locked
), gone as (
  delete from dispatcher.envelope where uuid = any(array(select uuid from held)) returning *
), archived as (
  insert into dispatcher.archive (${KEPT}, state, finished_at, error)
  select ${READ}, 'cancelled', clock_timestamp(), error from gone
)
select count(*)::int purged from gone`;

/** Stop or resume the claims of a queue; tells whether that changed anything. */
export const PAUSE = `
insert into dispatcher.queue as q (name, paused_at) values ($1, clock_timestamp())
on conflict (name) do update set paused_at = excluded.paused_at where q.paused_at is null
returning name`;
export const RESUME =
  `update dispatcher.queue set paused_at = null where name = $1 and paused_at is not null returning name`;

/** An error as it is grouped; numbers and uuids in a message do not tell two errors apart. */
export const DEAD_NAME = "coalesce(dispatcher.text_of(error, 'name'), 'Error')";
export const DEAD_MESSAGE: string =
  `coalesce(left(regexp_replace(split_part(dispatcher.text_of(error, 'message'), E'\\n', 1),
      '[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}|[0-9]+', '#', 'gi'), 200), '')`;

/** The dead by task and error, the latest first. Index: archive_discarded. */
export const FAILURES: string = `
select task, error, message, count(*)::int "count", min(finished_at) first_at, max(finished_at) last_at,
  (array_agg(uuid::text order by finished_at desc))[1] last_uuid
from (
  select uuid, task, finished_at, ${DEAD_NAME} error,
    ${DEAD_MESSAGE} message
  from dispatcher.archive
  where state = 'discarded' and ($1::text is null or queue = $1) and ($2::text is null or task = $2)
    and finished_at >= clock_timestamp() - coalesce($3::float8, 3155760000) * interval '1 second'
) dead
group by task, error, message order by last_at desc limit $4`;
