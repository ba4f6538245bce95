-- Duplicates: envelopes published with on_duplicate other than `parallel` carry a key, equal for equal calls on one
-- queue. Of one key at most one envelope is unblocked (the head: it waits, runs or is retried); those behind it are
-- `scheduled` and blocked, and the leader's stager lets the next one go when the head is final. A key holds the
-- queue, so that the copies of a broadcast are told apart by node and those on a shared queue are not.

alter table dispatcher.envelope
  add column dedupe text,
  add column blocked boolean not null default false,
  add column adopter text;                  -- the node that took it from the wire

create index envelope_dedupe on dispatcher.envelope (dedupe) where dedupe is not null;

create function dispatcher.dedupe_key(queue text, task text, args json, kwargs json) returns text
language plpgsql immutable as $$
begin
  return md5(concat_ws(E'\n', queue, task, args::jsonb::text, kwargs::jsonb::text));
exception when others then
  -- NUL and unpaired surrogates have no jsonb: then equal means equal to the letter.
  return md5(concat_ws(E'\n', queue, task, args::text, kwargs::text));
end $$;

-- Write one envelope under a rule for duplicates. Returns its uuid, or that of the envelope it is a duplicate of
-- and for whose sake it was dropped, or null when it is there already. The lock lasts until the end of the transaction, and the look is a statement
-- after it, so ten publishers at once see each other.
create function dispatcher.put_unique(
  uuid uuid, origin uuid, queue text, task text, args json, kwargs json, options json, priority smallint,
  max_attempts int, timeout float8, time_pub float8, due timestamptz, mode text, adopter text
) returns uuid language plpgsql as $$
declare
  key text := dispatcher.dedupe_key(queue, task, args, kwargs);
  other record;
begin
  perform pg_advisory_xact_lock(hashtextextended(key, 4242));
  perform from dispatcher.envelope e where e.uuid = put_unique.uuid;
  if found then
    return null;
  end if;
  select e.uuid, e.state into other from dispatcher.envelope e
    where e.dedupe = key and (mode <> 'queue_one' or e.state <> 'running') order by e.id limit 1;
  if found and mode in ('discard', 'queue_one') then
    return other.uuid;
  end if;
  perform from dispatcher.envelope e where e.dedupe = key limit 1;
  insert into dispatcher.envelope (uuid, origin, queue, task, args, kwargs, options, state, priority, max_attempts,
    timeout, time_pub, due_at, dedupe, blocked, adopter)
  values (put_unique.uuid, put_unique.origin, put_unique.queue, put_unique.task, put_unique.args, put_unique.kwargs,
    put_unique.options, case when found or due is not null then 'scheduled' else 'available' end,
    put_unique.priority, put_unique.max_attempts, put_unique.timeout, put_unique.time_pub, due, key,
    found or due is not null, put_unique.adopter)
  on conflict on constraint envelope_pkey do nothing;
  return case when found then put_unique.uuid end;
end $$;

-- Write one envelope by whatever rule its options name. Returns what put_unique does.
create function dispatcher.put(
  uuid uuid, origin uuid, queue text, task text, args json, kwargs json, options json, priority smallint,
  max_attempts int, timeout float8, time_pub float8, due timestamptz, adopter text
) returns uuid language plpgsql as $$
declare
  mode text := coalesce(options ->> 'on_duplicate', 'parallel');
begin
  if mode in ('discard', 'serial', 'queue_one') then
    return dispatcher.put_unique(uuid, origin, queue, task, args, kwargs, options, priority, max_attempts, timeout,
      time_pub, due, mode, adopter);
  end if;
  insert into dispatcher.envelope (uuid, origin, queue, task, args, kwargs, options, state, priority, max_attempts,
    timeout, time_pub, due_at, adopter)
  values (put.uuid, put.origin, put.queue, put.task, put.args, put.kwargs, put.options,
    case when due is null then 'available' else 'scheduled' end, put.priority, put.max_attempts, put.timeout,
    put.time_pub, due, put.adopter)
  on conflict on constraint envelope_pkey do nothing;
  return case when found then put.uuid end;
end $$;

-- As before, and with on_duplicate.
create or replace function dispatcher.publish(
  task text, args json default '[]', kwargs json default '{}', queue text default 'default',
  options json default '{}'
) returns uuid language plpgsql as $$
declare
  own uuid := dispatcher.uuid_or_null(options ->> 'uuid');
  id uuid := coalesce(own, dispatcher.uuid7());
  mode text := coalesce(options ->> 'on_duplicate', 'parallel');
  due timestamptz;
begin
  if queue is null or btrim(queue) = '' or octet_length(queue) > 63 then
    raise exception 'Cannot use % as a queue: the name is blank or over 63 bytes',
      coalesce(quote_literal(queue), 'null') using errcode = '22023';
  end if;
  if mode not in ('parallel', 'discard', 'serial', 'queue_one') then
    raise exception 'Cannot publish "%": no on_duplicate "%"', task, mode using errcode = '22023',
      hint = 'on_duplicate is parallel, discard, serial or queue_one';
  end if;
  if queue = 'broadcast' then
    return dispatcher.broadcast(task, args, kwargs, options);
  end if;
  perform dispatcher.check_call(task, args, kwargs, options);
  due := dispatcher.due(options);
  if mode <> 'parallel' then
    id := coalesce(dispatcher.put_unique(id, null, queue, task, args, kwargs, dispatcher.extras(options),
      coalesce((options ->> 'priority')::smallint, 0::smallint), (options ->> 'max_attempts')::int,
      (options ->> 'timeout')::float8, extract(epoch from clock_timestamp())::float8, due, mode, null), id);
  else
    insert into dispatcher.envelope
      (uuid, queue, task, args, kwargs, options, state, priority, max_attempts, timeout, time_pub, due_at)
    values (id, publish.queue, publish.task, publish.args, publish.kwargs, dispatcher.extras(options),
      case when due is null then 'available' else 'scheduled' end,
      coalesce((options ->> 'priority')::smallint, 0), (options ->> 'max_attempts')::int,
      (options ->> 'timeout')::float8, extract(epoch from clock_timestamp()), due)
    on conflict (uuid) do nothing;
  end if;
  -- Only of what was written just now: an equal uuid may wait that was final before.
  if found and id = own then
    perform dispatcher.forget_known(own);
  end if;
  perform pg_notify('dispatcher_wake', case when due is null then queue else '' end);
  return id;
end $$;

-- Schedules of the whole cluster. `next_at` moves in the statement that publishes, so that a tick is neither lost
-- nor doubled when a leader dies.
create table dispatcher.schedule (
  name          text primary key,
  task          text not null,
  args          json not null default '[]',
  kwargs        json not null default '{}',
  queue         text not null,
  options       json not null default '{}',
  every         double precision check (every > 0),   -- seconds
  cron          text,
  timezone      text,
  catch_up      text not null default 'one' check (catch_up in ('one', 'all', 'none')),
  enabled       boolean not null default true,
  next_at       timestamptz,
  last_at       timestamptz,
  last_uuid     uuid,
  updated_at    timestamptz not null default clock_timestamp(),
  check ((every is null) <> (cron is null))
);
create index schedule_due on dispatcher.schedule (next_at) where enabled;
