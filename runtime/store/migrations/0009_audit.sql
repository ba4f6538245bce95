-- Who did what over HTTP. Written once, read by people, dropped with the retention; it has no arguments and no secrets.
create table dispatcher.audit (
  id            bigint generated always as identity primary key,
  at            timestamptz not null default clock_timestamp(),
  who           text not null,
  how           text not null,              -- local, basic, bearer, proxy
  address       text not null,              -- where it came from
  node          text not null,              -- who was asked
  action        text not null,
  target        text not null,
  count         int not null,
  ok            boolean not null,
  detail        json not null
);

-- The pruner looks here.
create index audit_at on dispatcher.audit (at);
