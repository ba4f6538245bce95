-- Four roles for those who need less than the owner of the schema. They have no login of their own; grant them to
-- yours: grant dispatcher_node to my_node_user. Applied by the owner of the schema, with the right to create roles;
-- again after each migration, which may bring functions of its own. Applying it twice changes nothing.
--
--   dispatcher_publisher  publishes, and reads states, results and errors; neither arguments nor claims
--   dispatcher_node       runs a node: claims, settles, keeps the archive's partitions; changes no definition
--   dispatcher_operator   looks, publishes, cancels, retries, pauses
--   dispatcher_viewer     looks

do $$
declare
  role text;
begin
  foreach role in array array['dispatcher_publisher', 'dispatcher_node', 'dispatcher_operator', 'dispatcher_viewer'] loop
    begin
      if not exists (select from pg_catalog.pg_roles where rolname = role) then
        execute pg_catalog.format('create role %I nologin', role);
      end if;
    exception when duplicate_object or unique_violation then
      null; -- somebody else was faster
    end;
  end loop;
end $$;

revoke all on schema dispatcher from public;
revoke all on all tables in schema dispatcher from public;
revoke execute on all functions in schema dispatcher from public;

grant usage on schema dispatcher to dispatcher_publisher, dispatcher_node, dispatcher_operator, dispatcher_viewer;
grant select on dispatcher.migration to dispatcher_publisher;

-- Whoever looks, sees all but the database's own catalog.
grant select on all tables in schema dispatcher to dispatcher_viewer, dispatcher_operator, dispatcher_node;
grant select on all sequences in schema dispatcher to dispatcher_node, dispatcher_operator;
alter default privileges in schema dispatcher
  grant select on tables to dispatcher_viewer, dispatcher_operator, dispatcher_node;
alter default privileges in schema dispatcher grant select on sequences to dispatcher_node, dispatcher_operator;

grant insert (uuid, origin, queue, task, args, kwargs, options, state, priority, max_attempts, timeout, time_pub,
  due_at, dedupe, blocked, adopter) on dispatcher.envelope to dispatcher_publisher, dispatcher_operator;
-- What tells a known uuid, a duplicate and an outcome; not what was sent.
grant select (id, uuid, state, dedupe, blocked, error) on dispatcher.envelope to dispatcher_publisher;
grant select (uuid, state, result, error) on dispatcher.archive to dispatcher_publisher;
-- What is long lies apart, once every node knows it (0018_content.sql).
grant insert on dispatcher.content to dispatcher_publisher, dispatcher_operator;
grant select (contents, instance, state) on dispatcher.node to dispatcher_publisher;
grant insert on dispatcher.broadcast to dispatcher_publisher, dispatcher_operator;
grant select (uuid) on dispatcher.broadcast to dispatcher_publisher;

grant insert, update, delete on all tables in schema dispatcher to dispatcher_node;
revoke insert, update, delete on dispatcher.migration from dispatcher_node;
alter default privileges in schema dispatcher grant insert, update, delete on tables to dispatcher_node;

grant insert, update, delete on dispatcher.envelope, dispatcher.queue to dispatcher_operator;
-- Update, since what is brought back is locked first.
grant insert, update, delete on dispatcher.archive to dispatcher_operator;
grant update on dispatcher.schedule to dispatcher_operator;
grant insert on dispatcher.audit to dispatcher_operator;

-- Functions work with the rights of whoever calls them, so that the grants above decide; but for these, which do one
-- small thing that their callers could not: take back what was written just now and is known, make and drop a day, and
-- write an envelope as claimed by a node that is on call.
grant execute on all functions in schema dispatcher
  to dispatcher_publisher, dispatcher_node, dispatcher_operator, dispatcher_viewer;
do $$
declare
  f record;
begin
  for f in
    select p.oid::pg_catalog.regprocedure as signature,
      p.proname in ('create_partitions', 'drop_partition', 'create_contents', 'drop_content') as of_node
    from pg_catalog.pg_proc p
    where p.pronamespace = 'dispatcher'::pg_catalog.regnamespace
      and p.proname in ('hand', 'forget_known', 'forget_known_broadcast', 'create_partitions', 'drop_partition',
        'create_contents', 'drop_content')
  loop
    execute pg_catalog.format('alter function %s security definer set search_path = pg_catalog, pg_temp', f.signature);
    execute pg_catalog.format('revoke execute on function %s from dispatcher_viewer', f.signature);
    if f.of_node then
      execute pg_catalog.format('revoke execute on function %s from dispatcher_publisher, dispatcher_operator',
        f.signature);
    end if;
  end loop;
end $$;
