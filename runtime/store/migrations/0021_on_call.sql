-- A node that has nothing to do is on call: who publishes a single envelope then writes it as that node's, claimed, and
-- tells it what to run in the same commit. Otherwise the node is woken, asks, and waits for a commit of its own: of 3.6 ms
-- from publish() to the task more than one was that.
--
-- | what can happen | what is done |
-- |---|---|
-- | two publish at once | a node on call is given one envelope, then it must say again that it is free: who comes second writes as ever |
-- | the node was killed | the session that said so is gone: it is passed over. (A pooler's goes on: then it may be given one, as below) |
-- | the node is stopped in its tracks, or cut off | it may be given one envelope, which its lease bounds, as what it runs |
-- | it is not told (its connection broke at this moment) | `handed` counts: it reconciles when it hears a later one, or anew, and by its heartbeat |
-- | it leaves while it is given one | it says first that it is not free, which waits for whoever has locked its row, and then gives back all it holds |
-- | something waits in the queue, or it is paused, or it asks for resources, or it is long | written as ever |
-- | an old transaction keeps the versions of these rows | from 64 kB on, and 1 kB for each node, nobody goes on call |
-- | a crash loses that a node is on call, or is not | its heartbeat finds out; what it has no room for it gives back |
create table dispatcher.on_call (
  instance      uuid primary key,
  node          text not null,
  queues        text[] not null,
  -- Only this node hears it, and nobody can guess it: what is told has arguments in it.
  channel       text not null,
  -- The session that said so.
  pid           int not null,
  free          boolean not null,
  -- Envelopes, so far.
  handed        int not null default 0
-- Whoever reads a page clears it, and counts little as dead: with a threshold VACUUM would not come, and only it gives back.
) with (fillfactor = 50, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 0,
  autovacuum_vacuum_cost_delay = 0);

-- Write one envelope that may run at once, and hand it to a node that is on call; says whether there was one. The setting
-- tells the wake that runs behind it. It claims, which publishers may not: so it has the rights of its owner.
create function dispatcher.hand(
  of_uuid uuid, of_queue text, of_task text, of_args json, of_kwargs json, of_options json, of_priority smallint,
  of_max_attempts int, of_timeout float8, of_time_pub float8) returns boolean
language plpgsql security definer
set search_path = pg_catalog, pg_temp set plan_cache_mode = force_generic_plan set jit = off
set enable_seqscan = off set enable_bitmapscan = off as $$
declare
  now_is timestamptz := clock_timestamp();
  told text := concat_ws(e'\x1f', of_uuid, of_queue, replace(of_task, e'\x1f', ' '), of_args, of_kwargs, of_options,
    of_priority, coalesce(of_max_attempts::text, ''), coalesce(of_timeout::text, ''));
  taker record;
  taken boolean := false;
begin
  -- Asked first: what follows walks over all that was claimed, if an old transaction keeps it.
  if exists (select from dispatcher.on_call c where c.free and of_queue = any(c.queues)) then
    update dispatcher.on_call c set free = false, handed = c.handed + 1
    where c.instance = (
      select o.instance
      from dispatcher.on_call o
      join dispatcher.node n on n.name = o.node and n.instance = o.instance and n.state = 'running'
        and n.lease_until > now_is
      where o.free and of_queue = any(o.queues)
        -- With the instance and a number before it, a NOTIFY can carry that.
        and octet_length(told) < 7900
        and position('"resources"' in of_options::text) = 0
        and not exists (select from dispatcher.queue q where q.name = of_queue and q.paused_at is not null)
        -- Nobody is overtaken.
        and not exists (
          select from dispatcher.envelope e
          where e.queue = of_queue and e.due_at is null and not e.blocked and e.demand is null and not e.aside
            and e.state = 'available')
        and exists (select from pg_stat_get_activity(o.pid))
      limit 1 for update of o skip locked)
    returning c.instance, c.node, c.channel, c.handed into taker;
    taken := found;
  end if;

  if not taken then
    insert into dispatcher.envelope (uuid, queue, task, args, kwargs, options, priority, max_attempts, timeout, time_pub,
      state)
    values (of_uuid, of_queue, of_task, of_args, of_kwargs, of_options, of_priority, of_max_attempts, of_timeout,
      of_time_pub, 'available');
    return false;
  end if;
  insert into dispatcher.envelope (uuid, queue, task, args, kwargs, options, priority, max_attempts, timeout, time_pub,
    state, attempt, fence, node, instance, created_at, claimed_at)
  values (of_uuid, of_queue, of_task, of_args, of_kwargs, of_options, of_priority, of_max_attempts, of_timeout,
    of_time_pub, 'running', 1, 1, taker.node, taker.instance, now_is, now_is);
  perform pg_notify(taker.channel, concat_ws(e'\x1f', taker.instance, taker.handed, told)),
    set_config('dispatcher.handed', of_uuid::text, false);
  return true;
end $$;

-- As before (0006_limits.sql), and none of these channels.
create or replace function dispatcher.check_queue(queue text) returns void language plpgsql immutable as $$
declare
  fault text := case
    when queue is null or btrim(queue, E' \t\n\r') = '' then 'the name is blank or over 63 bytes'
    when octet_length(queue) > 63 then 'the name is blank or over 63 bytes'
    when queue ~ '[\x01-\x1f\x7f]' then 'the name has a control character'
    when queue ~ '^dispatcher_(wake$|settled$|reply_|check_|hand_)' then 'the name is one of the dispatcher''s own channels'
  end;
begin
  if fault is not null then
    raise exception 'Cannot use % as a queue: %', coalesce(quote_literal(queue), 'null'), fault using errcode = '22023';
  end if;
end $$;

-- For those who publish; roles.sql says the same of roles that are made later.
revoke execute on function dispatcher.hand from public;
do $$
declare
  role text;
begin
  foreach role in array array['dispatcher_publisher', 'dispatcher_node', 'dispatcher_operator'] loop
    if exists (select from pg_catalog.pg_roles where rolname = role) then
      execute pg_catalog.format('grant execute on function dispatcher.hand to %I', role);
    end if;
  end loop;
end $$;
