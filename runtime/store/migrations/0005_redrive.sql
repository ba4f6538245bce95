-- What an operator does to envelopes: gives the dead a new allowance of attempts, gives up what waits or runs.

alter table dispatcher.envelope
  add column forgiven int not null default 0,   -- attempts charged before a new allowance: they count no more
  add column discard_reason text;               -- somebody gave it up while it ran: it ends as discarded, for this

-- What a revived envelope needs and the archive did not keep: the fence goes on from where it was.
alter table dispatcher.archive
  add column fence int,                         -- null: archived by a node that did not know of it yet
  add column solo boolean not null default false,
  add column forgiven int not null default 0,
  add column dedupe text;

-- Who looks for the dead finds them here, and not among all that ever completed.
create index archive_discarded on dispatcher.archive (finished_at) where state = 'discarded';

-- A member of a JSON object as text; ? stands for NUL and surrogates, which json keeps and text cannot.
create function dispatcher.text_of(given json, member text) returns text language plpgsql immutable as $$
begin
  return given ->> member;
exception when others then
  -- Escapes, that is: behind an even number of other backslashes.
  return regexp_replace(given::text, '(?<!\\)((?:\\\\)*)\\u(?:0000|d[89a-f][0-9a-f]{2})', '\1?', 'gi')::json ->> member;
end $$;
