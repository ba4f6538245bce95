/**
 * Creating the updates that jobs need, and linking the jobs to them. An update goes before those that wait for it: it is
 * as urgent as the most urgent of them, and as old as the oldest.
 *
 * @module
 */
import { launch } from "../../jobs/model/launch.ts";
import { type Db, json, list } from "../../jobs/model/rows.ts";
import type { Launched, Need } from "./plan.ts";

const LINK = `update awx.unified_job j
  set depends_on = array(select distinct jsonb_array_elements_text(l.needs)::bigint order by 1),
    dependencies_processed = true
  from jsonb_to_recordset($1::text::jsonb) l (id bigint, needs jsonb) where j.id = l.id`;

/** Two steps, since what an update needs itself must not come behind it; nobody waits for what is under way on a node. */
const HASTEN = `with recursive needed (id, priority, created) as (
    select unnest(depends_on), priority, created from awx.unified_job
    where id = any($1::text::bigint[]) and status = 'pending'
    union
    select unnest(j.depends_on), n.priority, n.created from needed n join awx.unified_job j using (id)
  ), first as (select id, min(priority) priority, min(created) created from needed group by id
  ), ours as (select id from awx.unified_job join first using (id) where status = 'pending'
    order by id for no key update skip locked)
  update awx.unified_job j set priority = least(j.priority, f.priority), created = least(j.created, f.created)
  from first f join ours using (id) where j.id = f.id and (j.priority > f.priority or j.created > f.created)`;

/** Writes what one run has planned. */
export class Writer {
  readonly #tx: Db;
  /** Numbers of the jobs that were created for needs. */
  readonly #made: Map<Need, number> = new Map();
  readonly #links: { id: number; needs: number[] }[] = [];

  constructor(tx: Db) {
    this.#tx = tx;
  }

  /** How many updates were created. */
  get created(): number {
    return this.#made.size;
  }

  /** Create what a job needs, and remember the link. */
  async add(job: Launched, needs: readonly Need[]): Promise<void> {
    this.#links.push({ id: job.id, needs: await this.#all(needs, job) });
  }

  /** Write the links. */
  async flush(): Promise<void> {
    if (this.#links.length === 0) return;
    await this.#tx.unsafe(LINK, [json(this.#links)] as never[]);
    const linked = this.#links.filter(({ needs }) => needs.length > 0).map(({ id }) => id);
    if (linked.length > 0) await this.#tx.unsafe(HASTEN, [list(linked)] as never[]);
  }

  async #all(needs: readonly Need[], job: Launched): Promise<number[]> {
    const ids: number[] = [];
    for (const need of needs) ids.push("job" in need ? need.job : await this.#create(need, job));
    return ids;
  }

  async #create(need: Exclude<Need, { job: number }>, job: Launched): Promise<number> {
    const made = this.#made.get(need);
    if (made !== undefined) return made;
    const needs = await this.#all(need.needs, job);
    const { id } = await launch(this.#tx, { kind: need.create, id: need.of }, {
      launchType: "dependent",
      priority: job.priority,
      dependenciesProcessed: true,
    });
    this.#made.set(need, id);
    this.#links.push({ id, needs });
    return id;
  }
}
