-- What an envelope costs the database.

-- Of an attempt that completed, what cannot be known from the row: 140 bytes less than its record as JSON. `attempts`
-- holds those before it.
alter table dispatcher.archive
  add column worker text,                   -- null as well where the attempt did not complete, or an older node settled it
  add column started_at timestamptz,        -- by the node's clock, as ended_at
  add column ended_at timestamptz;

-- The claim writes each row once more: with room for that on its own page it takes 115 bytes of WAL less.
alter table dispatcher.envelope set (fillfactor = 45);

-- Tell the nodes that there is work in these queues; "" stands for what is due at another time. Each word reaches the
-- server process of everybody who listens, so it is not said of a queue that nobody serves. Only for whoever has
-- committed before: a node that registers later than this looks is one that finds the work itself. With its owner's
-- rights, since publishers do not see nodes.
create function dispatcher.wake(queues text[]) returns void language plpgsql
security definer set search_path = pg_catalog, pg_temp as $$
begin
  perform pg_notify('dispatcher_wake', q) from unnest(queues) q
  where q in ('', 'broadcast')
    or exists (select from dispatcher.node n where n.state = 'running' and q = any (n.queues));
end $$;
