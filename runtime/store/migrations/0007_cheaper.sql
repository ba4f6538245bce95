-- What an envelope costs the database.

-- Of an attempt that completed, what cannot be known from the row: 140 bytes less than its record as JSON. `attempts`
-- holds those before it.
alter table dispatcher.archive
  add column worker text,                   -- null as well where the attempt did not complete, or an older node settled it
  add column started_at timestamptz,        -- by the node's clock, as ended_at
  add column ended_at timestamptz;

-- Nobody looks by it: what is old goes by the day, the dead have an index of their own. 82 bytes of WAL each.
drop index dispatcher.archive_finished;

-- The claim writes each row once more: with room for that on its own page it takes 90 bytes of WAL less.
alter table dispatcher.envelope set (fillfactor = 50);
