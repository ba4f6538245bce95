-- What is checked at the door of the database, and a way to drop old days without owning the archive.

-- Drop one day of the archive. The name is checked: with the roles of roles.sql this runs with its owner's rights.
create function dispatcher.drop_partition(name text) returns void language plpgsql as $$
begin
  if name !~ '^archive_[0-9]{8}$' then
    raise exception 'Cannot drop %: it is no day of the archive', quote_literal(name) using errcode = '22023';
  end if;
  execute format('drop table if exists dispatcher.%I', name);
end $$;

-- A queue's name is a channel as well: 1 to 63 bytes, not blank, no control characters, none of the dispatcher's own.
create function dispatcher.check_queue(queue text) returns void language plpgsql immutable as $$
declare
  fault text := case
    when queue is null or btrim(queue, E' \t\n\r') = '' then 'the name is blank or over 63 bytes'
    when octet_length(queue) > 63 then 'the name is blank or over 63 bytes'
    when queue ~ '[\x01-\x1f\x7f]' then 'the name has a control character'
    when queue ~ '^dispatcher_(wake$|settled$|reply_|check_)' then 'the name is one of the dispatcher''s own channels'
  end;
begin
  if fault is not null then
    raise exception 'Cannot use % as a queue: %', coalesce(quote_literal(queue), 'null'), fault using errcode = '22023';
  end if;
end $$;

-- As before, and no more than so many bytes: 1 MiB, or what the setting dispatcher.max_args_bytes says.
create or replace function dispatcher.check_call(task text, args json, kwargs json, options json) returns void
language plpgsql as $$
declare
  odd text;
  bytes bigint := octet_length(args::text)::bigint + octet_length(kwargs::text);
  most bigint := coalesce(nullif(current_setting('dispatcher.max_args_bytes', true), '')::bigint, 1048576);
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
  if bytes > most then
    raise exception 'Cannot publish "%": its args and kwargs have % bytes, at most % are allowed', task, bytes, most
      using errcode = '22023', hint = 'dispatcher.max_args_bytes is the limit; alter database … set changes it';
  end if;
  if length(task) > 400 or task ~ '[\x01-\x1f\x7f]' then
    raise exception 'Cannot publish a task named %: the name is too long or has control characters',
      quote_literal(left(task, 80)) using errcode = '22023';
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

-- As before, with the names that the client refuses refused here too.
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
  perform dispatcher.check_queue(queue);
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
