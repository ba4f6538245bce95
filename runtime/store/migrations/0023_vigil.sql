-- A node that is woken several hundred times a second looks by itself from then on, and says so: for a second it is not to be
-- woken. While all nodes that serve a queue keep vigil, publishers wake nobody, and do not even ask until that second is
-- over. Each wake is a NOTIFY to every node, which took three nodes and four publishers more of two cores than the work.
--
-- | what can happen | what is done |
-- |---|---|
-- | an envelope is committed in the last moment of a vigil | who keeps it looks once more when it is over; a publisher asks how long it lasts, and looks at the clock when its envelope is committed |
-- | one node of several does not keep vigil | it is woken as ever, and so are the others |
-- | who keeps vigil dies, drains or stops in its tracks; a node joins | who has published meanwhile wakes once more when that second is over |
-- | code of before publishes, or SQL | it asks each time, and is answered the same |
alter table dispatcher.node add column vigil_until timestamptz;

-- Wake whoever serves these queues; says for how many milliseconds from now on nobody need be woken for any of them.
create function dispatcher.rouse(queues text[]) returns int language plpgsql
security definer set search_path = pg_catalog, pg_temp as $$
declare
  q text;
  lasts float8;
  shortest float8 := 'infinity';
begin
  foreach q in array queues loop
    lasts := 0;
    if q not in ('', 'broadcast') then
      -- More than a second nobody has said: the clock has stepped back.
      select min(case when n.vigil_until < clock_timestamp() + interval '1 second'
        then extract(epoch from n.vigil_until - clock_timestamp()) else 0 end) * 1000 into lasts
      from dispatcher.node n where n.state = 'running' and q = any (n.queues);
    end if;
    shortest := least(shortest, greatest(0, coalesce(lasts, 0)));
    -- Null: nobody serves it.
    if lasts <= 0 then
      perform pg_notify('dispatcher_wake', q);
    end if;
  end loop;
  return floor(coalesce(nullif(shortest, 'infinity'), 0));
end $$;

-- As in 0016_wake.sql, and not where a vigil is kept.
create or replace function dispatcher.wake(queues text[]) returns void language plpgsql
security definer set search_path = pg_catalog, pg_temp as $$
begin
  perform dispatcher.rouse(queues);
end $$;
