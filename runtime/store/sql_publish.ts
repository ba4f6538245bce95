/**
 * The statements that write envelopes, and those of content that lies apart. Parameters are positional; arrays travel as
 * PostgreSQL array literals.
 *
 * @module
 */

const COLUMNS = "uuid, queue, task, args, kwargs, options, priority, max_attempts, timeout, time_pub";

// What is published, from arrays, with the time when it is due; and one more array.
const callsOf = (array: string, name: string) =>
  `(
  select u.*, case
    when at is not null and to_timestamp(at) > clock_timestamp() then to_timestamp(at)
    when delay > 0 then clock_timestamp() + delay * interval '1 second' end due
  from unnest($1::uuid[], $2::text[], $3::text[], $4::json[], $5::json[], $6::json[], $7::smallint[], $8::int[],
    $9::float8[], $10::float8[], $11::float8[], $12::float8[]${array})
    u (${COLUMNS}, delay, at${name})
) calls`;

/**
 * As content is told by its day: such as 20261129. By the beginning of the statement, which is one for all its parts; that
 * of the caller's transaction may be days ago.
 */
const TODAY = "to_char(statement_timestamp() at time zone 'utc', 'YYYYMMDD')";

/**
 * Insert envelopes from arrays: 38,000/s at 1,000 a statement on 2 cores, against 25,000/s through jsonb and
 * 1,900/s one by one. For uuids that nobody can have written before, which is cheaper by 48 bytes of WAL each than to
 * be ready for a conflict: one that was is an error, and none of the batch is written. Index: primary key.
 */
export const PUBLISH_NEW = `
insert into dispatcher.envelope
  (${COLUMNS}, due_at, state)
select uuid, queue, task, args, kwargs, options, priority, max_attempts, timeout, time_pub, due,
  case when due is null then 'available' else 'scheduled' end
from ${callsOf("", "")}`;

/**
 * The same of a single one that may run at once, which is what a quiet publisher writes: without arrays it takes a
 * quarter less of the server. JSON by way of text: the client would encode a parameter of type json once more. Index:
 * primary key.
 */
export const PUBLISH_ONE = `
insert into dispatcher.envelope
  (${COLUMNS}, state)
values ($1::uuid, $2, $3, $4::text::json, $5::text::json, $6::text::json, $7::smallint, $8::int, $9::float8,
  $10::float8, 'available')`;

/**
 * The same, and handed over to a node that is on call, if there is one: claimed by it and told to it in one commit
 * (0021_on_call.sql). Indexes: primary key, on_call_pkey.
 */
export const HAND = `
select dispatcher.hand($1::uuid, $2, $3, $4::text::json, $5::text::json, $6::text::json, $7::smallint, $8::int,
  $9::float8, $10::float8)`;

/** The same for any uuids: what is known changes nothing. Returns those that are new. */
export const PUBLISH = `${PUBLISH_NEW}
on conflict (uuid) do nothing
returning uuid`;

// Where some are long: parameter numbers from `ids` on are a name for the content of each, null where it is short; and of
// what is long the uuid, the name, the arguments. The arrays of all envelopes have nothing in the place of those.
const rowsOf = (ids: 13 | 38) => `
insert into dispatcher.envelope
  (${COLUMNS}, due_at, state)
select uuid, queue, task, case when id is null then args else
    ('{"content":"' || id || '","day":' || ${TODAY} || '}')::json end,
  case when id is null then kwargs else '{}' end, options, priority, max_attempts, timeout, time_pub, due,
  case when due is null then 'available' else 'scheduled' end
from ${callsOf(`, $${ids}::uuid[]`, ", id")}`;
const contentsOf = (ids: 13 | 38) => {
  const [uuids, names, args, kwargs] = [1, 2, 3, 4].map((behind) => `$${ids + behind}`);
  return `
insert into dispatcher.content (day, id, args, kwargs)
select ${TODAY}::int, id, args, kwargs
from unnest(${uuids}::uuid[], ${names}::uuid[], ${args}::json[], ${kwargs}::json[]) u (uuid, id, args, kwargs)`;
};

/** As PUBLISH_NEW, where some are long: their content lies apart, and they refer to it (0018_content.sql). */
export const PUBLISH_LONG: string = `with rows as (${rowsOf(13)}) ${contentsOf(13)}`;

/** As PUBLISH_ONE, of a long one; $11 names its content. */
export const PUBLISH_ONE_LONG = `
with kept as (
  insert into dispatcher.content (day, id, args, kwargs)
  values (${TODAY}::int, $11::uuid, $4::text::json, $5::text::json)
)
insert into dispatcher.envelope
  (${COLUMNS}, state)
values ($1::uuid, $2, $3,
  ('{"content":"' || $11::uuid || '","day":' || ${TODAY} || '}')::json, '{}',
  $6::text::json, $7::smallint, $8::int, $9::float8, $10::float8, 'available')`;

/** Whether content may lie apart: no node lives that does not know references. */
export const APART = `
select not exists (
  select from dispatcher.node where contents is distinct from instance and state in ('running', 'draining')) apart`;

/**
 * What references of one day refer to: of several a plan would look through all partitions. In the order of $2, until so
 * many bytes have come ($3; as they are stored, which is known without reading them): of what lies behind only the name.
 * Index: primary key.
 */
export const CONTENTS = `
select id::text, case when before < $3::bigint then args::text end args, case when before < $3 then kwargs::text end kwargs
from (
  select c.*, sum(size) over (order by u.place) - size before
  from unnest($2::uuid[]) with ordinality u (id, place)
  join dispatcher.content c on c.day = $1::int and c.id = u.id
  cross join lateral (select pg_column_size(c.args)::bigint + pg_column_size(c.kwargs) size) s) c`;

/** The same of envelopes that got their content back since they were read. Index: primary key. */
export const RETURNED = `
select uuid::text, args::text, kwargs::text from dispatcher.envelope where uuid = any($1::uuid[])`;

const publishing = (rows: string) => `
with ${rows}, casts as (
  insert into dispatcher.broadcast
    (uuid, task, args, kwargs, options, priority, max_attempts, timeout, time_pub, due_at, expires_at)
  select uuid, task, args, kwargs, options, priority, max_attempts, timeout, time_pub, case
      when at is not null and to_timestamp(at) > clock_timestamp() then to_timestamp(at)
      when delay > 0 then clock_timestamp() + delay * interval '1 second' end,
    clock_timestamp() + coalesce(ttl, 3600) * interval '1 second'
  from unnest($13::uuid[], $14::text[], $15::json[], $16::json[], $17::json[], $18::smallint[], $19::int[],
    $20::float8[], $21::float8[], $22::float8[], $23::float8[], $24::float8[])
    u (uuid, task, args, kwargs, options, priority, max_attempts, timeout, time_pub, delay, at, ttl)
  on conflict (uuid) do nothing
  returning uuid
), uniques as materialized (
  -- Row by row: what is taken back must be gone before the next one of its key is written.
  select asked, got, got = asked and asked = any($37::uuid[]) and dispatcher.forget_known(asked) known
  from (
    select asked, dispatcher.put_unique(asked, null, queue, task, args, kwargs, options, priority, max_attempts,
      timeout, time_pub, case
        when at is not null and to_timestamp(at) > clock_timestamp() then to_timestamp(at)
        when delay > 0 then clock_timestamp() + delay * interval '1 second' end, options ->> 'on_duplicate', null) got
    from unnest($25::uuid[], $26::text[], $27::text[], $28::json[], $29::json[], $30::json[], $31::smallint[],
      $32::int[], $33::float8[], $34::float8[], $35::float8[], $36::float8[])
      u (asked, queue, task, args, kwargs, options, priority, max_attempts, timeout, time_pub, delay, at)
    offset 0 -- keeps each call from being made more than once
  ) put
)
select uuid::text, null duplicate_of from rows where not (uuid = any($37::uuid[]) and dispatcher.forget_known(uuid))
union all
select uuid::text, null from casts where not (uuid = any($37::uuid[]) and dispatcher.forget_known_broadcast(uuid))
union all
select asked::text, case when got <> asked then got::text end from uniques where got is not null and not known`;

/**
 * Insert envelopes of any kind: plain ones, such as go to the broadcast log, and such as have a rule for duplicates,
 * which are written one after the other under the lock of their keys. One statement and no transaction around
 * several: the client cannot lose a connection inside of one without an error that ends the process
 * (porsager/postgres#1208). What is known already is taken back by a function, because it sees what was settled while
 * the insert waited; the statement itself would not. Returns the uuids that are new, and for a duplicate the one for
 * whose sake it was dropped. Indexes: primary key, archive_uuid, broadcast_uuid_key, envelope_dedupe.
 */
export const PUBLISH_ANY: string = publishing(`rows as (${PUBLISH})`);
/** The same where some of the plain ones are long. */
export const PUBLISH_ANY_LONG: string = publishing(
  `rows as (${rowsOf(38)} on conflict (uuid) do nothing returning uuid),
  kept as (${contentsOf(38)} where uuid in (select uuid from rows))`,
);
