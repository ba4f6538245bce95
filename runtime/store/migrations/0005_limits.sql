-- What is checked at the door of the database, and a way to drop old days without owning the archive.

-- Drop one day of the archive. The name is checked: with the roles of roles.sql this runs with its owner's rights.
create function dispatcher.drop_partition(name text) returns void language plpgsql as $$
begin
  if name !~ '^archive_[0-9]{8}$' then
    raise exception 'Cannot drop %: it is no day of the archive', quote_literal(name) using errcode = '22023';
  end if;
  execute format('drop table if exists dispatcher.%I', name);
end $$;
