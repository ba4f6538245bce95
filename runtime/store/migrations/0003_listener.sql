-- What the heartbeat tells of a node that cannot answer: whether it hears notifications, and its memory.
alter table dispatcher.node
  add column listener text not null default 'connected' check (listener in ('connected', 'isolated')),
  add column rss bigint;                    -- bytes, of the dispatcher and its hosts; null until it is known

-- Who paused a schedule: the configuration file, which may let it go again, or else a person, who must.
alter table dispatcher.schedule
  add column paused_by_file boolean not null default false;

-- As before, and for a uuid of the broadcast log.
create or replace function dispatcher.forget_known(given uuid) returns boolean language plpgsql as $$
begin
  delete from dispatcher.envelope e where e.uuid = given
    and (exists (select from dispatcher.archive a where a.uuid = given)
      or exists (select from dispatcher.broadcast b where b.uuid = given));
  return found;
end $$;

-- The same for an entry of the log whose uuid is an envelope's.
create function dispatcher.forget_known_broadcast(given uuid) returns boolean language plpgsql as $$
begin
  delete from dispatcher.broadcast b where b.uuid = given
    and (exists (select from dispatcher.archive a where a.uuid = given)
      or exists (select from dispatcher.envelope e where e.uuid = given));
  return found;
end $$;

-- As before, and a uuid that is known as an envelope's changes nothing.
create or replace function dispatcher.broadcast(
  task text, args json default '[]', kwargs json default '{}', options json default '{}'
) returns uuid language plpgsql as $$
declare
  own uuid := dispatcher.uuid_or_null(options ->> 'uuid');
  id uuid := coalesce(own, dispatcher.uuid7());
begin
  perform dispatcher.check_call(task, args, kwargs, options);
  insert into dispatcher.broadcast
    (uuid, task, args, kwargs, options, priority, max_attempts, timeout, time_pub, due_at, expires_at)
  values (id, broadcast.task, broadcast.args, broadcast.kwargs, dispatcher.extras(options),
    coalesce((options ->> 'priority')::smallint, 0), (options ->> 'max_attempts')::int,
    (options ->> 'timeout')::float8, extract(epoch from clock_timestamp()), dispatcher.due(options),
    clock_timestamp() + coalesce((options ->> 'ttl')::float8, 3600) * interval '1 second')
  on conflict do nothing;
  if found and own is not null then
    perform dispatcher.forget_known_broadcast(own);
  end if;
  -- In the transaction: psql has no side connection to wake the nodes from.
  perform pg_notify('dispatcher_wake', 'broadcast');
  return id;
end $$;
