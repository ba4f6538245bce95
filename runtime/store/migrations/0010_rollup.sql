-- What every node did in every minute, for charts; and two more things that an envelope's options may say: the
-- traceparent of its publisher, and when it was due.

-- Rows are only added, and those who read add them up: a node that starts again within a minute writes a second one.
create table dispatcher.rollup (
  minute          timestamptz not null,
  node            text,                     -- null: of the cluster, written by the leader
  queue           text,                     -- null: of the node as a whole
  published       int not null default 0,
  claimed         int not null default 0,
  completed       int not null default 0,
  retry           int not null default 0,
  cancelled       int not null default 0,
  discarded       int not null default 0,
  released        int not null default 0,
  wait            int[],                    -- counts by bucket, see runtime/sketch.ts; zeros at the end are left out
  duration        int[],
  busy_seconds    double precision,         -- slots times seconds in which they ran something
  slot_seconds    double precision,         -- slots times seconds in which they were there
  scheduled       int,                      -- what stood in the queue at the end of the minute
  available       int,
  running         int,
  retryable       int,
  oldest_seconds  double precision
);
create index rollup_minute on dispatcher.rollup (minute);

-- `due` in milliseconds since 1970, where it is not the time of publishing.
create or replace function dispatcher.extras(options json) returns json language sql stable as $$
  select coalesce(json_object_agg(key, value), '{}') from (
    select key, value from json_each(options) where key in ('on_duplicate', 'guid', 'traceparent')
    union all
    select 'due', to_json(round(extract(epoch from due) * 1000)::bigint)
      from dispatcher.due(options) due where due is not null
  ) kept
$$;

-- As before, and with the option traceparent.
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
      'traceparent')
    limit 1;
  if odd is not null then
    raise exception 'Cannot publish "%": no option "%"', task, odd using errcode = '22023',
      hint = 'Options: uuid, delay, at, timeout, priority, max_attempts, on_duplicate, guid, ttl, traceparent';
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
  end if;
  if odd is not null then
    raise exception 'Cannot publish "%": %', task, odd using errcode = '22023';
  end if;
end $$;
