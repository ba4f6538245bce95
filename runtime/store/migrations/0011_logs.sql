-- What attempts print and say, a row a line, as far as their nodes keep it. `fence` tells the executions of an envelope
-- apart, where an attempt that was given back leaves its number to the next one. A node's own numbering makes writing
-- it twice harmless.
create table dispatcher.log (
  uuid          uuid not null,
  fence         int not null,
  seq           int not null,
  attempt       int not null,
  node          text not null,
  at            timestamptz not null,
  level         text not null,
  text          text not null,
  primary key (uuid, fence, seq)
);

-- Old lines are found by it, and it is as good as free.
create index log_at on dispatcher.log using brin (at);
