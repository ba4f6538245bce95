-- Envelopes that ask for resources, and those that give way to more urgent ones.
--
-- What asks for resources waits apart: its state is `asking` where that of others is `available` (whoever looks is shown
-- `available`), so that no claim passes over what does not fit, and no node that knows nothing of resources takes it.

alter table dispatcher.envelope
  add column demand text collate "C",             -- what it asks for, equal for equal demands: cpu=2,gpu=1; null: nothing
  add column preempted smallint not null default 0; -- how often it was stopped for a more urgent one

alter table dispatcher.envelope drop constraint envelope_state_check;
alter table dispatcher.envelope add constraint envelope_state_check
  check (state in ('scheduled', 'available', 'asking', 'running', 'retryable')) not valid;

-- Nodes look here for what fits: demand by demand, each in the order of claiming.
create index envelope_asking on dispatcher.envelope (queue, demand, priority, id) where state = 'asking';

-- What a node offers and what of it is in use, as its last heartbeat told, with the instance that told it.
alter table dispatcher.node add column resources json;

-- What is wrong with the resources of a call; null: nothing.
create function dispatcher.demand_fault(resources json) returns text language plpgsql immutable as $$
declare
  odd text;
begin
  if resources is null or json_typeof(resources) = 'null' then
    return null;
  end if;
  if json_typeof(resources) <> 'object' then
    return format('resources is %s, not an object', json_typeof(resources));
  end if;
  select format('resources has %s of %s: it must be a name and a number from 0 to 1e12', value, key) into odd
    from json_each(resources)
    where key !~ '^[A-Za-z][A-Za-z0-9_]{0,62}$' or case when json_typeof(value) = 'number'
      then (value #>> '{}')::numeric not between 0 and 1e12 else true end
    limit 1;
  return odd;
end $$;

-- The demand that options name, in its one form; null where they name none, or none that can be read.
create function dispatcher.demand_of(options json) returns text language plpgsql immutable as $$
begin
  return (
    select string_agg(format('%s=%s', key, amount), ',' order by key collate "C")
    from (
      select key, case when json_typeof(value) = 'number' then (value #>> '{}')::float8 end amount
      from json_each(options -> 'resources')
    ) asked
    where amount > 0 and key ~ '^[A-Za-z][A-Za-z0-9_]{0,62}$');
exception when others then
  return null;
end $$;

-- What has a demand is never `available`, whoever writes it: nodes that know nothing of resources, too.
create function dispatcher.keep_demand() returns trigger language plpgsql as $$
begin
  if tg_op = 'INSERT' then
    new.demand := dispatcher.demand_of(new.options);
  end if;
  if new.demand is not null and new.state = 'available' then
    new.state := 'asking';
  end if;
  return new;
end $$;

-- The conditions keep them from costing anything where nothing is asked for.
create trigger envelope_asks before insert on dispatcher.envelope
  for each row when (position('"resources"' in new.options::text) > 0) execute function dispatcher.keep_demand();
create trigger envelope_asks_again before update of state on dispatcher.envelope
  for each row when (new.state = 'available' and new.demand is not null) execute function dispatcher.keep_demand();

-- As before, and with the options resources and preemptible.
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
    where key not in ('uuid', 'delay', 'at', 'timeout', 'priority', 'max_attempts', 'on_duplicate', 'guid', 'ttl',
      'traceparent', 'resources', 'preemptible')
    limit 1;
  if odd is not null then
    raise exception 'Cannot publish "%": no option "%"', task, odd using errcode = '22023',
      hint = 'Options: uuid, delay, at, timeout, priority, max_attempts, on_duplicate, guid, ttl, traceparent, resources, preemptible';
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
  elsif options ->> 'traceparent' !~ '^[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}$' then
    odd := format('traceparent %s is not a W3C traceparent', quote_literal(options ->> 'traceparent'));
  elsif options ->> 'on_duplicate' not in ('parallel', 'discard', 'serial', 'queue_one') then
    odd := format('on_duplicate %s is not parallel, discard, serial or queue_one', options ->> 'on_duplicate');
  elsif json_typeof(options -> 'preemptible') not in ('boolean', 'null') then
    odd := format('preemptible %s is not true or false', options -> 'preemptible');
  end if;
  odd := coalesce(odd, dispatcher.demand_fault(options -> 'resources'));
  if odd is not null then
    raise exception 'Cannot publish "%": %', task, odd using errcode = '22023';
  end if;
end $$;

-- The options that have no column of their own, and the time at which it is due.
create or replace function dispatcher.extras(options json) returns json language sql stable as $$
  select coalesce(json_object_agg(key, value), '{}') from (
    select key, value from json_each(options)
    where key in ('on_duplicate', 'guid', 'traceparent')
      or key in ('resources', 'preemptible') and json_typeof(value) <> 'null'
    union all
    select 'due', to_json(round(extract(epoch from due) * 1000)::bigint)
      from dispatcher.due(options) due where due is not null
  ) kept
$$;
