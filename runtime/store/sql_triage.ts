/**
 * The statements by which a node finds out what should run first.
 *
 * @module
 */
import { WAITED } from "./sql_look.ts";
import { asks, ready } from "./sql_rows.ts";

/** Kinds that are looked at in one look. */
export const MOST_KINDS = 1_000;
const MOST_ROWS = 2_000;

/**
 * The first few of each kind. Kinds (of what asks for resources: queue, demand and priority; of the rest: queue and
 * priority) are found by going from one to the next in the index, whatever stands in between. $3 is the demand behind
 * which to begin. Indexes: envelope_claim, envelope_asking.
 */
export const CONTENDERS: string = `
with recursive open as materialized (
  select q.name from unnest($1::text[]) q (name)
  where not exists (select from dispatcher.queue p where p.name = q.name and p.paused_at is not null)
), kind as (
  select k.* from open cross join lateral (
    select e.queue, e.demand, e.priority from dispatcher.envelope e
    where ${asks("e")} and e.state = 'asking' and e.queue = open.name and e.demand > $3
    order by e.queue, e.demand, e.priority limit 1) k
  union all
  select k.* from kind l cross join lateral (
    select e.queue, e.demand, e.priority from dispatcher.envelope e
    where ${
  asks("e")
} and e.state = 'asking' and e.queue = l.queue and (e.demand, e.priority) > (l.demand, l.priority)
    order by e.queue, e.demand, e.priority limit 1) k
), plain as (
  select k.* from open cross join lateral (
    select e.queue, e.priority from dispatcher.envelope e
    where ${ready("e")} and e.state = 'available' and e.queue = open.name
    order by e.queue, e.priority limit 1) k
  union all
  select k.* from plain l cross join lateral (
    select e.queue, e.priority from dispatcher.envelope e
    where ${ready("e")} and e.state = 'available' and e.queue = l.queue and e.priority > l.priority
    order by e.queue, e.priority limit 1) k
)
(select e.uuid::text, k.queue, k.demand, k.priority, e.id::float8 id, e.waited
from (select * from kind limit ${MOST_KINDS}) k cross join lateral (
  select e.uuid, e.id, ${WAITED} waited from dispatcher.envelope e
  where ${
  asks("e")
} and e.state = 'asking' and e.queue = k.queue and e.demand = k.demand and e.priority = k.priority
  order by e.id limit $2) e
limit ${MOST_ROWS})
union all
(select e.uuid::text, k.queue, null, k.priority, e.id::float8, e.waited
from (select * from plain limit ${MOST_KINDS}) k cross join lateral (
  select e.uuid, e.id, ${WAITED} waited from dispatcher.envelope e
  where ${ready("e")} and e.state = 'available' and e.queue = k.queue and e.priority = k.priority
  order by e.id limit $2) e
limit ${MOST_ROWS})`;

/**
 * Claim by uuid what asks for resources and still waits; with the guards of every claim. A trigger notes each in the
 * list of what is held. Index: primary key.
 */
export const CLAIM_ASKING: string = `
with open as materialized (
  select e.uuid from dispatcher.envelope e
  where e.uuid = any($1::uuid[]) and e.state = 'asking'
    and not exists (select from dispatcher.queue p where p.name = e.queue and p.paused_at is not null)
    and not exists (
      select from dispatcher.node n where n.name = $2 and (n.instance <> $3::uuid or n.state in ('stopped', 'lost')))
  for update of e skip locked
), claimed as (
  update dispatcher.envelope e set state = 'running', attempt = e.attempt + 1, fence = e.fence + 1, node = $2,
    instance = $3::uuid, claimed_at = clock_timestamp(), progress = null
  -- Not a join: a plan that does not know how few they are would hash the whole table for it.
  where e.uuid = any(array(select uuid from open))
  returning e.uuid::text, e.fence, e.task, e.queue, e.args::text, e.kwargs::text, e.options::text, e.attempt, e.priority,
    e.id, case when e.max_attempts is not null or e.timeout is not null or e.solo or e.origin is not null
      or e.dedupe is not null or e.forgiven <> 0
      then json_build_array(e.max_attempts, e.timeout, e.solo, e.origin, e.dedupe is not null, e.forgiven) end rare
)
select * from claimed order by priority, id`;

/**
 * Give back what asks for resources, and write down for what: into the options too, where its worker looks. What
 * somebody asked to cancel is left to the settling. Index: primary key.
 */
export const ASK = `
update dispatcher.envelope e set state = 'asking', demand = u.demand, attempt = e.attempt - 1, node = null,
  instance = null, claimed_at = null, aside = false, options = case when json_typeof(e.options) = 'object' then (
    regexp_replace(e.options::text, '\\s*\\}\\s*$', case when e.options::text ~ '^\\s*\\{\\s*\\}\\s*$' then '' else ',' end)
    || '"resources":' || u.resources || '}')::json else json_build_object('resources', u.resources::json) end
from unnest($2::uuid[], $3::int[], $4::text[], $5::text[]) u (uuid, fence, demand, resources)
where e.uuid = u.uuid and e.uuid = any($2::uuid[]) and e.fence = u.fence and e.instance = $1::uuid
  and e.state = 'running' and e.cancel_at is null
returning e.uuid::text`;

/** Count a preemption, up to so many. Index: primary key. */
export const PREEMPT = `
update dispatcher.envelope e set preempted = e.preempted + 1
where e.uuid = any($2::uuid[]) and (e.uuid, e.fence) in (select * from unnest($2::uuid[], $3::int[]))
  and e.instance = $1::uuid and e.state = 'running' and e.preempted < $4::int
  and e.cancel_at is null
returning e.uuid::text`;
