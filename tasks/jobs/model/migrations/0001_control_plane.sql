-- The control plane's own tables, schema `awx`. A template is named everywhere by its kind and id: one of
-- job_template, project, inventory_source, workflow_template, system.

-- Nodes as the control plane sees them; written by each node's heartbeat.
create table awx.instance (
  hostname            text primary key,           -- the dispatcher node's name, and its direct queue
  enabled             boolean not null default true,
  cpu                 numeric not null default 0, -- cores
  memory_mb           bigint not null default 0,
  cpu_capacity        int not null default 0,     -- forks
  mem_capacity        int not null default 0,
  capacity_adjustment numeric not null default 1 check (capacity_adjustment between 0 and 1),
  capacity            int not null default 0,     -- 0: offline or draining
  resources           jsonb not null default '{}',-- what it offers besides: {"gpu": 1, …}
  version             text not null default '',
  errors              text not null default '',
  last_seen           timestamptz,
  created             timestamptz not null default clock_timestamp()
);

create table awx.instance_group (
  id                  bigint generated always as identity primary key,
  name                text not null unique check (btrim(name) <> ''),
  max_concurrent_jobs int not null default 0 check (max_concurrent_jobs >= 0), -- 0: any number
  max_forks           int not null default 0 check (max_forks >= 0),
  all_instances       boolean not null default false -- every instance is a member
);
create table awx.instance_group_member (
  instance_group_id   bigint not null references awx.instance_group (id) on delete cascade,
  hostname            text not null references awx.instance (hostname) on delete cascade,
  primary key (instance_group_id, hostname)
);
insert into awx.instance_group (name, all_instances) values ('default', true);

create table awx.credential (
  id                  bigint generated always as identity primary key,
  name                text not null unique check (btrim(name) <> ''),
  kind                text not null check (kind in ('machine', 'scm', 'vault', 'env')),
  inputs              text not null, -- encrypted JSON; never shown
  modified            timestamptz not null default clock_timestamp()
);

create table awx.project (
  id                  bigint generated always as identity primary key,
  name                text not null unique check (btrim(name) <> ''),
  scm_type            text not null default '' check (scm_type in ('', 'git')), -- '': a directory of this machine
  scm_url             text not null default '',
  scm_branch          text not null default '',
  scm_clean           boolean not null default false,
  scm_revision        text not null default '',   -- of the last successful update
  local_path          text not null default '',   -- a manual project's directory; a git one's, once it is cloned
  update_on_launch    boolean not null default false,
  update_cache_timeout int not null default 0 check (update_cache_timeout >= 0), -- seconds
  timeout             int not null default 0 check (timeout >= 0),               -- seconds; 0: none
  credential_id       bigint references awx.credential (id),
  created             timestamptz not null default clock_timestamp()
);

create table awx.inventory (
  id                  bigint generated always as identity primary key,
  name                text not null unique check (btrim(name) <> ''),
  variables           jsonb not null default '{}',
  pending_deletion    boolean not null default false
);
create table awx.inventory_source (
  id                  bigint generated always as identity primary key,
  inventory_id        bigint not null references awx.inventory (id) on delete cascade,
  name                text not null check (btrim(name) <> ''),
  kind                text not null check (kind in ('static', 'file', 'project', 'script')),
  content             text not null default '',   -- static: ini, YAML or JSON; script: its text
  path                text not null default '',   -- file: of this machine; project: inside of the project
  project_id          bigint references awx.project (id),
  source_vars         jsonb not null default '{}',-- the environment of a script
  overwrite           boolean not null default false, -- delete hosts and groups that the source no longer has
  update_on_launch    boolean not null default false,
  update_cache_timeout int not null default 0 check (update_cache_timeout >= 0),
  timeout             int not null default 0 check (timeout >= 0),
  credential_id       bigint references awx.credential (id),
  unique (inventory_id, name)
);
create table awx.host (
  id                  bigint generated always as identity primary key,
  inventory_id        bigint not null references awx.inventory (id) on delete cascade,
  name                text not null,
  enabled             boolean not null default true,
  variables           jsonb not null default '{}',
  source_id           bigint references awx.inventory_source (id) on delete set null,
  unique (inventory_id, name)
);
create index host_source on awx.host (source_id);
create table awx.host_group (
  id                  bigint generated always as identity primary key,
  inventory_id        bigint not null references awx.inventory (id) on delete cascade,
  name                text not null,
  variables           jsonb not null default '{}',
  source_id           bigint references awx.inventory_source (id) on delete set null,
  unique (inventory_id, name)
);
create table awx.host_group_host (
  group_id            bigint not null references awx.host_group (id) on delete cascade,
  host_id             bigint not null references awx.host (id) on delete cascade,
  primary key (group_id, host_id)
);
create index host_group_host_host on awx.host_group_host (host_id);
create table awx.host_group_child (
  parent_id           bigint not null references awx.host_group (id) on delete cascade,
  child_id            bigint not null references awx.host_group (id) on delete cascade,
  primary key (parent_id, child_id), check (parent_id <> child_id)
);

create table awx.job_template (
  id                  bigint generated always as identity primary key,
  name                text not null unique check (btrim(name) <> ''),
  kind                text not null check (kind in ('playbook', 'command')),
  project_id          bigint references awx.project (id),
  playbook            text not null default '',
  command             text[] not null default '{}', -- kind command: the program and its arguments, no shell
  inventory_id        bigint references awx.inventory (id),
  forks               int not null default 0 check (forks >= 0), -- 0: ansible's own default, 5
  host_limit          text not null default '',
  job_tags            text not null default '',
  skip_tags           text not null default '',
  verbosity           int not null default 0 check (verbosity between 0 and 5),
  extra_vars          jsonb not null default '{}' check (jsonb_typeof(extra_vars) = 'object'),
  timeout             int not null default 0 check (timeout >= 0),
  allow_simultaneous  boolean not null default false,
  priority            int not null default 0 check (priority between -32768 and 32767), -- smaller runs earlier
  preemptible         boolean not null default false,
  resources           jsonb not null default '{}', -- {"cpu": 2, "memoryMb": 512, "gpu": 1, …}
  credential_ids      bigint[] not null default '{}',
  instance_group_ids  bigint[] not null default '{}' -- in order; none: the group "default"
);

create table awx.workflow_template (
  id                  bigint generated always as identity primary key,
  name                text not null unique check (btrim(name) <> ''),
  extra_vars          jsonb not null default '{}' check (jsonb_typeof(extra_vars) = 'object'),
  allow_simultaneous  boolean not null default false
);
create table awx.workflow_node (
  id                  bigint generated always as identity primary key,
  workflow_template_id bigint not null references awx.workflow_template (id) on delete cascade,
  identifier          text not null,
  template_kind       text not null check (template_kind in
                        ('job_template', 'project', 'inventory_source', 'workflow_template', 'system')),
  template_id         bigint not null,
  all_parents_must_converge boolean not null default false,
  extra_vars          jsonb not null default '{}' check (jsonb_typeof(extra_vars) = 'object'),
  host_limit          text not null default '',
  unique (workflow_template_id, identifier)
);
create table awx.workflow_edge (
  parent_id           bigint not null references awx.workflow_node (id) on delete cascade,
  child_id            bigint not null references awx.workflow_node (id) on delete cascade,
  kind                text not null check (kind in ('success', 'failure', 'always')),
  primary key (parent_id, child_id), check (parent_id <> child_id)
);

-- Every run of anything. `spec` is what the template said when it was launched: later changes are not this job's.
create table awx.unified_job (
  id                  bigint generated always as identity primary key,
  kind                text not null check (kind in
                        ('job', 'ad_hoc_command', 'project_update', 'inventory_update', 'system_job', 'workflow_job')),
  name                text not null,
  status              text not null default 'pending' check (status in
                        ('pending', 'waiting', 'running', 'successful', 'failed', 'error', 'canceled')),
  template_kind       text,
  template_id         bigint,
  project_id          bigint references awx.project (id) on delete set null,
  inventory_id        bigint references awx.inventory (id) on delete set null,
  inventory_source_id bigint references awx.inventory_source (id) on delete set null,
  launch_type         text not null default 'manual' check (launch_type in
                        ('manual', 'relaunch', 'scheduled', 'dependent', 'workflow', 'callback')),
  spec                jsonb not null default '{}',
  extra_vars          jsonb not null default '{}' check (jsonb_typeof(extra_vars) = 'object'),
  credential_ids      bigint[] not null default '{}',
  instance_group_ids  bigint[] not null default '{}',
  allow_simultaneous  boolean not null default false,
  priority            int not null default 0,
  preemptible         boolean not null default false,
  resources           jsonb not null default '{}',
  timeout             int not null default 0,
  task_impact         int not null default 1,     -- forks of capacity it takes
  dependencies_processed boolean not null default false,
  depends_on          bigint[] not null default '{}', -- jobs that must be successful first
  created             timestamptz not null default clock_timestamp(),
  started             timestamptz,
  finished            timestamptz,
  elapsed             double precision not null default 0, -- seconds
  task_uuid           uuid,                       -- its envelope (AWX: celery_task_id)
  execution_node      text not null default '',
  instance_group_id   bigint,                     -- the group that it was given capacity from
  workflow_job_id     bigint references awx.unified_job (id) on delete cascade,
  cancel_flag         boolean not null default false,
  exit_code           int,
  scm_revision        text not null default '',
  job_explanation     text not null default '',
  artifacts           jsonb not null default '{}',
  host_status_counts  jsonb,
  emitted_events      int not null default 0,
  events_closed_at    timestamptz                 -- EOF was written: no event follows
);
-- The managers look at what is not final, by creation; the pages at the latest.
create index unified_job_open on awx.unified_job (created, id) where status in ('pending', 'waiting', 'running');
create index unified_job_template on awx.unified_job (template_kind, template_id, id desc);
create index unified_job_workflow on awx.unified_job (workflow_job_id) where workflow_job_id is not null;
create index unified_job_project on awx.unified_job (project_id, finished desc) where kind = 'project_update';
create index unified_job_source on awx.unified_job (inventory_source_id, finished desc) where kind = 'inventory_update';
-- Pages: the latest of a status, the latest workflows, and who waits for a job.
create index unified_job_status on awx.unified_job (status, id desc);
create index unified_job_workflow_runs on awx.unified_job (id desc) where kind = 'workflow_job';
create index unified_job_dependents on awx.unified_job using gin (depends_on) where depends_on <> '{}';

-- A running workflow's own copy of its nodes and edges.
create table awx.workflow_job_node (
  id                  bigint generated always as identity primary key,
  workflow_job_id     bigint not null references awx.unified_job (id) on delete cascade,
  identifier          text not null,
  template_kind       text not null,
  template_id         bigint not null,
  all_parents_must_converge boolean not null default false,
  extra_vars          jsonb not null default '{}' check (jsonb_typeof(extra_vars) = 'object'),
  host_limit          text not null default '',
  job_id              bigint references awx.unified_job (id) on delete set null,
  launched            boolean not null default false, -- once, also when the job's row is gone since
  do_not_run          boolean not null default false, -- it can never run any more
  error               text not null default '',       -- why no job could be launched: counts as a failure
  unique (workflow_job_id, identifier)
);
create table awx.workflow_job_edge (
  parent_id           bigint not null references awx.workflow_job_node (id) on delete cascade,
  child_id            bigint not null references awx.workflow_job_node (id) on delete cascade,
  kind                text not null check (kind in ('success', 'failure', 'always')),
  primary key (parent_id, child_id)
);

-- Events of jobs, by day. The time is the event's own, so the same event sent twice is one row.
create table awx.job_event (
  job_id              bigint not null,
  uuid                uuid not null,
  counter             int not null,
  event               text not null,
  created             timestamptz not null,
  host                text not null default '',
  play                text not null default '',
  task                text not null default '',
  role                text not null default '',
  failed              boolean not null default false,
  changed             boolean not null default false,
  start_line          int not null default 0,
  end_line            int not null default 0,
  stdout              text not null default '',
  event_data          jsonb not null default '{}',
  primary key (job_id, uuid, created)
) partition by range (created);
create index job_event_order on awx.job_event (job_id, counter);
create table awx.job_event_default partition of awx.job_event default;

-- Make the partitions of today and the `ahead` days that follow; what is of another day lies in the default one. A day
-- whose rows already lie there is left there: moving them would lock the table that everybody writes.
create function awx.create_event_partitions(ahead int) returns int language plpgsql as $$
declare
  day date;
  made int := 0;
begin
  perform pg_advisory_xact_lock(hashtextextended('awx.create_event_partitions', 0));
  for day in select (now() at time zone 'utc')::date + n from generate_series(0, ahead) n loop
    if to_regclass(format('awx.job_event_%s', to_char(day, 'YYYYMMDD'))) is null
      and not exists (
        select from awx.job_event_default
        where created >= day::timestamp at time zone 'utc' and created < (day + 1)::timestamp at time zone 'utc')
    then
      execute format('create table awx.job_event_%s partition of awx.job_event for values from (%L) to (%L)',
        to_char(day, 'YYYYMMDD'), day::timestamp at time zone 'utc', (day + 1)::timestamp at time zone 'utc');
      made := made + 1;
    end if;
  end loop;
  return made;
end $$;
select awx.create_event_partitions(3);

-- Drop the partition of a day; false when there is none.
create function awx.drop_event_partition(day date) returns boolean language plpgsql as $$
begin
  if to_regclass(format('awx.job_event_%s', to_char(day, 'YYYYMMDD'))) is null then
    return false;
  end if;
  execute format('drop table awx.job_event_%s', to_char(day, 'YYYYMMDD'));
  return true;
end $$;
-- Making and dropping is for the owner of the tables; nodes that have a role of their own do it through these.
alter function awx.create_event_partitions(int) security definer set search_path = pg_catalog;
alter function awx.drop_event_partition(date) security definer set search_path = pg_catalog;
revoke execute on function awx.create_event_partitions(int), awx.drop_event_partition(date) from public;

-- Events that could not be written, with the reason; the text is as it came, escaped where a text may not hold it. The
-- same text is set aside once, however often it comes.
create table awx.job_event_set_aside (
  id                  bigint generated always as identity primary key,
  job_id              bigint,
  event               text not null,
  reason              text not null,
  tries               int not null,
  at                  timestamptz not null default clock_timestamp(),
  digest              uuid not null generated always as (md5(event)::uuid) stored unique
);
create index job_event_set_aside_job on awx.job_event_set_aside (job_id) where job_id is not null;
-- Where events wait for the receiver when there is no Redis.
create table awx.job_event_queue (
  id                  bigint generated always as identity primary key,
  payload             text not null
);
-- Ends of streams that came before the last of their events did: closed when those are there, or after a while.
create table awx.job_event_eof (
  job_id              bigint primary key references awx.unified_job (id) on delete cascade,
  final_counter       int not null,
  at                  timestamptz not null default clock_timestamp()
);
-- The receivers; written by each one's report every other second, deleted when it ends in order.
create table awx.receiver (
  name                text primary key,
  pid                 int not null,
  host                text not null,
  source              text not null check (source in ('redis', 'postgres')),
  started_at          timestamptz not null,
  last_seen           timestamptz not null default clock_timestamp(),
  popped              bigint not null default 0,
  saved               bigint not null default 0,
  set_aside           bigint not null default 0,
  in_memory           int not null default 0,
  queue_size          bigint,                     -- null: the source does not answer
  lag_p95             double precision            -- seconds from an event's own time to its commit; null: none came lately
);

create table awx.schedule (
  id                  bigint generated always as identity primary key,
  name                text not null unique check (btrim(name) <> ''),
  rrule               text not null,              -- iCal: DTSTART and RRULE
  template_kind       text not null check (template_kind in
                        ('job_template', 'project', 'inventory_source', 'workflow_template', 'system')),
  template_id         bigint not null,
  extra_vars          jsonb not null default '{}' check (jsonb_typeof(extra_vars) = 'object'),
  enabled             boolean not null default true,
  next_run            timestamptz,
  last_run            timestamptz
);
create index schedule_next on awx.schedule (next_run) where enabled;

create table awx.notification_template (
  id                  bigint generated always as identity primary key,
  name                text not null unique check (btrim(name) <> ''),
  kind                text not null check (kind in ('email', 'slack', 'webhook')),
  configuration       text not null -- encrypted JSON; never shown
);
create table awx.notification_attachment (
  notification_template_id bigint not null references awx.notification_template (id) on delete cascade,
  template_kind       text not null,
  template_id         bigint not null,
  event               text not null check (event in ('started', 'success', 'error')),
  primary key (notification_template_id, template_kind, template_id, event)
);
-- One row a recipient: what became of it.
create table awx.notification (
  id                  bigint generated always as identity primary key,
  notification_template_id bigint not null references awx.notification_template (id) on delete cascade,
  job_id              bigint references awx.unified_job (id) on delete cascade,
  event               text not null,
  recipient           text not null,
  status              text not null default 'pending' check (status in ('pending', 'successful', 'failed')),
  tries               int not null default 0,
  error               text not null default '',
  created             timestamptz not null default clock_timestamp(),
  finished            timestamptz,
  unique (notification_template_id, job_id, event, recipient)
);

create table awx.setting (
  key                 text primary key,
  value               jsonb not null,
  version             bigint not null default 1,
  modified            timestamptz not null default clock_timestamp()
);
