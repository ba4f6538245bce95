-- The hot table `envelope` holds only what is not final; the settling statement moves final rows to `archive`,
-- which is partitioned by day and pruned by dropping partitions. `args`, `kwargs`, `result` and `error` are of
-- type json, not jsonb: the text is kept byte for byte, NUL and unpaired surrogates included.

create table dispatcher.envelope (
  id            bigint generated always as identity,
  uuid          uuid primary key,
  origin        uuid,                       -- the broadcast entry this is one node's copy of
  queue         text not null check (octet_length(queue) between 1 and 63 and btrim(queue) <> ''),
  task          text not null,
  args          json not null default '[]',
  kwargs        json not null default '{}',
  options       json not null default '{}', -- what else the message said: guid, on_duplicate, unknown fields
  state         text not null default 'available'
                check (state in ('scheduled', 'available', 'running', 'retryable')),
  priority      smallint not null default 0,
  attempt       int not null default 0,     -- attempts charged, this one included while it runs
  max_attempts  int check (max_attempts > 0),
  fence         int not null default 0,     -- counts every claim and never goes back: the fencing token
  solo          boolean not null default false, -- suspected of killing its host: runs alone in one
  timeout       double precision,           -- seconds
  time_pub      double precision,           -- seconds since 1970 by the publisher's clock
  created_at    timestamptz not null default clock_timestamp(),
  due_at        timestamptz,
  node          text,
  instance      uuid,
  claimed_at    timestamptz,
  cancel_at     timestamptz,                -- somebody asked for its end while it ran
  progress      json,
  error         json,                       -- of the last attempt that failed
  attempts      json[] not null default '{}'
) with (fillfactor = 80, autovacuum_vacuum_scale_factor = 0.02, autovacuum_analyze_scale_factor = 0.02,
        autovacuum_vacuum_cost_delay = 0);

-- The claim walks this index in order and takes the first rows that nobody has locked.
create index envelope_claim on dispatcher.envelope (queue, priority, id) where state = 'available';
-- The stager looks here for what is due: rows that wait for a time must not stand in the claim's way.
create index envelope_due on dispatcher.envelope (due_at) where state in ('scheduled', 'retryable');
-- The rescuer and the heartbeat look here for what an instance holds.
create index envelope_running on dispatcher.envelope (instance) where state = 'running';

create table dispatcher.archive (
  uuid          uuid not null,
  origin        uuid,
  queue         text not null,
  task          text not null,
  args          json not null,
  kwargs        json not null,
  options       json not null,
  state         text not null check (state in ('completed', 'cancelled', 'discarded')),
  priority      smallint not null,
  attempt       int not null,
  max_attempts  int,
  timeout       double precision,
  time_pub      double precision,
  created_at    timestamptz not null,
  node          text,
  claimed_at    timestamptz,
  finished_at   timestamptz not null,
  progress      json,
  result        json,
  error         json,
  attempts      json[] not null
) partition by range (finished_at);

create index archive_uuid on dispatcher.archive (uuid);
create index archive_finished on dispatcher.archive (finished_at desc);

-- A missing partition must never block settling.
create table dispatcher.archive_default partition of dispatcher.archive default;

-- Make the partitions of today and the `ahead` days that follow. A day whose rows already lie in the default
-- partition is left there: moving them would lock the table that every node settles into.
create function dispatcher.create_partitions(ahead int) returns int language plpgsql as $$
declare
  day date;
  made int := 0;
begin
  for day in select (now() at time zone 'utc')::date + n from generate_series(0, ahead) n loop
    if to_regclass(format('dispatcher.archive_%s', to_char(day, 'YYYYMMDD'))) is null
      and not exists (
        select from dispatcher.archive_default
        where finished_at >= day::timestamp at time zone 'utc'
          and finished_at < (day + 1)::timestamp at time zone 'utc')
    then
      execute format('create table dispatcher.archive_%s partition of dispatcher.archive for values from (%L) to (%L)',
        to_char(day, 'YYYYMMDD'), day::timestamp at time zone 'utc', (day + 1)::timestamp at time zone 'utc');
      made := made + 1;
    end if;
  end loop;
  return made;
end $$;

select dispatcher.create_partitions(3);

-- One lease a node, never one an envelope. `joined_at` survives restarts: broadcasts from before a node first
-- joined are not for it.
create table dispatcher.node (
  name          text primary key,
  instance      uuid not null,
  runtime       text not null,
  version       text not null,
  host          text not null,
  pid           int not null,
  boot          text not null,              -- machine, process namespace and start time of the process
  state         text not null check (state in ('running', 'draining', 'stopped', 'lost')),
  min_slots     int not null,
  max_slots     int not null,
  slots         int not null default 0,
  busy          int not null default 0,
  queues        text[] not null,
  joined_at     timestamptz not null default clock_timestamp(),
  started_at    timestamptz not null default clock_timestamp(),
  last_seen     timestamptz not null default clock_timestamp(),
  lease_until   timestamptz not null
);

create table dispatcher.leader (
  one           boolean primary key default true check (one),
  instance      uuid,
  until         timestamptz not null default '-infinity'
);
insert into dispatcher.leader default values;

create table dispatcher.queue (
  name          text primary key,
  paused_at     timestamptz
);

-- Broadcasts: an append-only log, and which node has had which. A set and not a number as the cursor: numbers
-- are drawn before the commit, and a cursor that has passed 10 never sees a 9 that commits late.
create table dispatcher.broadcast (
  id            bigint generated always as identity primary key,
  uuid          uuid not null unique,
  task          text not null,
  args          json not null,
  kwargs        json not null,
  options       json not null,
  priority      smallint not null default 0,
  max_attempts  int,
  timeout       double precision,
  time_pub      double precision,
  created_at    timestamptz not null default clock_timestamp(),
  due_at        timestamptz,
  expires_at    timestamptz not null
);

create table dispatcher.delivery (
  broadcast     uuid not null references dispatcher.broadcast (uuid) on delete cascade,
  node          text not null,
  at            timestamptz not null default clock_timestamp(),
  primary key (broadcast, node)
);

-- Messages that came in a NOTIFY reach several nodes; the one that writes the uuid here first has adopted it.
create table dispatcher.adoption (
  uuid          uuid primary key,
  at            timestamptz not null default clock_timestamp()
);

-- A version 7 uuid: 48 bits of milliseconds, the rest random.
create function dispatcher.uuid7() returns uuid language sql volatile as $$
  select encode(set_byte(
    overlay(uuid_send(gen_random_uuid()) placing
      substring(int8send((extract(epoch from clock_timestamp()) * 1000)::bigint) from 3) from 1 for 6),
    6, (get_byte(uuid_send(gen_random_uuid()), 6) & 15) | 112), 'hex')::uuid
$$;

-- The text as a UUID when it is one, else null.
create function dispatcher.uuid_or_null(given text) returns uuid language sql immutable as $$
  select case when given ~* '^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$' then given::uuid end
$$;

-- The shared checks of publish() and broadcast(); errors have SQLSTATE 22023 and name the value.
create function dispatcher.check_call(task text, args json, kwargs json, options json) returns void
language plpgsql as $$
declare
  odd text;
begin
  if task is null or btrim(task) = '' then
    raise exception 'Cannot publish a task named %: the name is blank', coalesce(quote_literal(task), 'null')
      using errcode = '22023';
  end if;
  if json_typeof(args) is distinct from 'array' then
    raise exception 'Cannot publish "%": args is %, not an array', task, coalesce(json_typeof(args), 'null')
      using errcode = '22023';
  end if;
  if json_typeof(kwargs) is distinct from 'object' then
    raise exception 'Cannot publish "%": kwargs is %, not an object', task, coalesce(json_typeof(kwargs), 'null')
      using errcode = '22023';
  end if;
  if json_typeof(options) is distinct from 'object' then
    raise exception 'Cannot publish "%": options is %, not an object', task, coalesce(json_typeof(options), 'null')
      using errcode = '22023';
  end if;
  select key into odd from json_object_keys(options) key
    where key not in ('uuid', 'delay', 'at', 'timeout', 'priority', 'max_attempts', 'on_duplicate', 'guid', 'ttl')
    limit 1;
  if odd is not null then
    raise exception 'Cannot publish "%": no option "%"', task, odd using errcode = '22023',
      hint = 'Options: uuid, delay, at, timeout, priority, max_attempts, on_duplicate, guid, ttl';
  end if;
  if options ->> 'uuid' is not null and dispatcher.uuid_or_null(options ->> 'uuid') is null then
    raise exception 'Cannot publish "%": uuid % is not a UUID', task, quote_literal(options ->> 'uuid')
      using errcode = '22023';
  end if;
  -- What is let through here is read by every node: a broadcast that no table takes would stop all later ones.
  select format('%s %s is not a positive number of seconds up to a hundred years', key, options ->> key) into odd
    from unnest(array['timeout', 'delay', 'ttl']) key
    where (options ->> key)::float8 not between (key <> 'delay')::int * 1e-6 and 3155760000 limit 1;
  if (options ->> 'max_attempts')::int not between 1 and 1000 then
    odd := format('max_attempts %s is not between 1 and 1000', options ->> 'max_attempts');
  elsif not isfinite((options ->> 'at')::timestamptz) then
    odd := format('at %s is not a time', options ->> 'at');
  elsif options ->> 'on_duplicate' not in ('parallel', 'discard', 'serial', 'queue_one') then
    odd := format('on_duplicate %s is not parallel, discard, serial or queue_one', options ->> 'on_duplicate');
  end if;
  if odd is not null then
    raise exception 'Cannot publish "%": %', task, odd using errcode = '22023';
  end if;
end $$;

-- When a call with these options is due; null is at once.
create function dispatcher.due(options json) returns timestamptz language sql stable as $$
  select case
    when options ->> 'at' is not null and (options ->> 'at')::timestamptz > clock_timestamp()
      then (options ->> 'at')::timestamptz
    when (options ->> 'delay')::float8 > 0
      then clock_timestamp() + (options ->> 'delay')::float8 * interval '1 second'
  end
$$;

-- The options that have no column of their own.
create function dispatcher.extras(options json) returns json language sql immutable as $$
  select coalesce(json_object_agg(key, value), '{}') from json_each(options)
  where key in ('on_duplicate', 'guid')
$$;

-- Publish to every live node, inside the caller's transaction. Returns the uuid.
create function dispatcher.broadcast(
  task text, args json default '[]', kwargs json default '{}', options json default '{}'
) returns uuid language plpgsql as $$
declare
  id uuid := coalesce(dispatcher.uuid_or_null(options ->> 'uuid'), dispatcher.uuid7());
begin
  perform dispatcher.check_call(task, args, kwargs, options);
  insert into dispatcher.broadcast
    (uuid, task, args, kwargs, options, priority, max_attempts, timeout, time_pub, due_at, expires_at)
  values (id, broadcast.task, broadcast.args, broadcast.kwargs, dispatcher.extras(options),
    coalesce((options ->> 'priority')::smallint, 0), (options ->> 'max_attempts')::int,
    (options ->> 'timeout')::float8, extract(epoch from clock_timestamp()), dispatcher.due(options),
    clock_timestamp() + coalesce((options ->> 'ttl')::float8, 3600) * interval '1 second')
  on conflict do nothing;
  -- In the transaction: psql has no side connection to wake the nodes from.
  perform pg_notify('dispatcher_wake', 'broadcast');
  return id;
end $$;

-- Take back an envelope that was just written although its uuid is in the archive; tells whether it was. A statement
-- of its own, so that it sees what was settled while the insert waited.
create function dispatcher.forget_known(given uuid) returns boolean language plpgsql as $$
begin
  delete from dispatcher.envelope e where e.uuid = given
    and exists (select from dispatcher.archive a where a.uuid = given);
  return found;
end $$;

-- Publish one envelope, inside the caller's transaction: rolled back, nothing was sent. Returns the uuid;
-- a uuid that is known already changes nothing.
create function dispatcher.publish(
  task text, args json default '[]', kwargs json default '{}', queue text default 'default',
  options json default '{}'
) returns uuid language plpgsql as $$
declare
  own uuid := dispatcher.uuid_or_null(options ->> 'uuid');
  id uuid := coalesce(own, dispatcher.uuid7());
  due timestamptz;
begin
  if queue is null or btrim(queue) = '' or octet_length(queue) > 63 then
    raise exception 'Cannot use % as a queue: the name is blank or over 63 bytes',
      coalesce(quote_literal(queue), 'null') using errcode = '22023';
  end if;
  if queue = 'broadcast' then
    return dispatcher.broadcast(task, args, kwargs, options);
  end if;
  perform dispatcher.check_call(task, args, kwargs, options);
  due := dispatcher.due(options);
  insert into dispatcher.envelope
    (uuid, queue, task, args, kwargs, options, state, priority, max_attempts, timeout, time_pub, due_at)
  values (id, publish.queue, publish.task, publish.args, publish.kwargs, dispatcher.extras(options),
    case when due is null then 'available' else 'scheduled' end,
    coalesce((options ->> 'priority')::smallint, 0), (options ->> 'max_attempts')::int,
    (options ->> 'timeout')::float8, extract(epoch from clock_timestamp()), due)
  on conflict (uuid) do nothing;
  if found and own is not null then
    perform dispatcher.forget_known(own);
  end if;
  perform pg_notify('dispatcher_wake', case when due is null then queue else '' end);
  return id;
end $$;
