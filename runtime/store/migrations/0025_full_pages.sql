-- What is published and what ends is written at the end of its indexes, for uuids and times ascend: a page of one is left
-- behind when it is full. PostgreSQL leaves a tenth of it empty, in case something comes between, and to do so writes that
-- tenth to its log once more, as the first part of the next page: 2 bytes an envelope and index. What comes between here
-- comes at once, from publishers whose clocks differ by little, and is less.
alter index dispatcher.envelope_pkey set (fillfactor = 97);
alter index dispatcher.envelope_claim set (fillfactor = 97);

do $$
declare
  one regclass;
begin
  -- Nobody makes or drops a day meanwhile; who settles is not held up.
  lock table only dispatcher.archive in share update exclusive mode;
  for one in
    select i.indexrelid from pg_inherits p join pg_index i on i.indrelid = p.inhrelid
    where p.inhparent = 'dispatcher.archive'::regclass
  loop
    execute format('alter index %s set (fillfactor = 97)', one);
  end loop;
  -- Written anew, a function forgets whose rights it has (roles.sql).
  perform set_config('dispatcher.definer', prosecdef::text, true)
  from pg_proc where oid = 'dispatcher.create_partitions(int)'::regprocedure;
end $$;

-- As in 0001_first_light.sql, and leaves no room either.
create or replace function dispatcher.create_partitions(ahead int) returns int language plpgsql as $$
declare
  day date;
  name text;
  one regclass;
  made int := 0;
begin
  for day in select (now() at time zone 'utc')::date + n from generate_series(0, ahead) n loop
    name := format('dispatcher.archive_%s', to_char(day, 'YYYYMMDD'));
    if to_regclass(name) is null
      and not exists (
        select from dispatcher.archive_default
        where finished_at >= day::timestamp at time zone 'utc'
          and finished_at < (day + 1)::timestamp at time zone 'utc')
    then
      execute format('create table %s partition of dispatcher.archive for values from (%L) to (%L)',
        name, day::timestamp at time zone 'utc', (day + 1)::timestamp at time zone 'utc');
      for one in select indexrelid from pg_index where indrelid = name::regclass loop
        execute format('alter index %s set (fillfactor = 97)', one);
      end loop;
      made := made + 1;
    end if;
  end loop;
  return made;
end $$;

do $$
begin
  if current_setting('dispatcher.definer')::boolean then
    alter function dispatcher.create_partitions(int) security definer set search_path = pg_catalog, pg_temp;
  end if;
end $$;

-- The list of what was claimed: uuids that were made together differ in their ends only, and a quarter of the bytes is left
-- of them where there is no lz4, too. It takes the server 1 % longer; what does not get shorter is given up after 1 kB. Where
-- lz4 is, it is so already, and nobody who claims or hands over has to wait for this.
do $$
begin
  if (select attstorage = 'e' from pg_attribute where attrelid = 'dispatcher.held'::regclass and attname = 'uuids') then
    alter table dispatcher.held alter column uuids set storage extended;
  end if;
end $$;
