/**
 * A database with workflows in it, and jobs whose ends are written instead of run.
 *
 * @module
 */
import { finish } from "../../../tasks/jobs/model/endings.ts";
import { launch, type TemplateRef } from "../../../tasks/jobs/model/launch.ts";
import {
  type FinalStatus,
  listJobs,
  type UnifiedJob,
  type Variables,
} from "../../../tasks/jobs/model/unified_job.ts";
import { workflowGraph } from "../../../tasks/jobs/model/workflows.ts";
import {
  manageWorkflows,
  type RunOptions,
  type Summary,
} from "../../../tasks/managers/workflow_manager/run.ts";
import type { TestContext } from "../../harness.ts";
import { type AwxDatabase, awxDatabase } from "../database.ts";

/** A workflow template in a line or two; a node without more runs the command template. */
export interface Flow {
  name?: string;
  nodes: Record<string, Partial<TemplateRef> & { all?: boolean; vars?: Variables; limit?: string }>;
  /** Such as `a-success>b`. */
  edges?: string[];
  vars?: Variables;
  simultaneous?: boolean;
}

export interface Site extends AwxDatabase {
  /** The id of a job template of kind command. */
  template: number;
  /** Make a workflow template; gives its id. */
  flow(flow: Flow): Promise<number>;
  launch(id: number): Promise<UnifiedJob>;
  /** Run the manager; undefined when another one runs. */
  manage(options?: RunOptions): Promise<Summary | undefined>;
  /** End the job of a workflow's node, and run the manager. */
  end(workflow: UnifiedJob, node: string, status: FinalStatus, artifacts?: Variables): Promise<void>;
  /** Nodes by name: the status of their job, `skipped`, what went wrong, or nothing. */
  look(workflow: UnifiedJob): Promise<Record<string, string>>;
  job(workflow: UnifiedJob, node: string): Promise<UnifiedJob>;
}

/**
 * One database for all tests of a file, empty for each. The file's last test ends it.
 *
 * @example
 * ```ts ignore
 * const site = sharedSite();
 * test("…", async () => { const { flow } = await site(); });
 * test("the database is dropped", () => site.end());
 * ```
 */
export function sharedSite(): (() => Promise<Site>) & { end(): Promise<void> } {
  let made: Promise<AwxDatabase> | undefined;
  const cleanUps: (() => unknown)[] = [];
  const t = { after: (cleanUp: () => unknown) => void cleanUps.push(cleanUp) } as TestContext;
  const site = async () => {
    const own = await (made ??= awxDatabase(t));
    await own.sql.unsafe(
      `truncate awx.unified_job, awx.workflow_template, awx.job_template, awx.schedule, dispatcher.envelope cascade`,
    );
    return await siteOf(own);
  };
  const end = async () => {
    await made;
    for (const cleanUp of cleanUps.reverse()) await cleanUp();
  };
  return Object.assign(site, { end });
}

/** The same over a database that has the tables already. */
export async function siteOf(own: AwxDatabase): Promise<Site> {
  const { sql, client } = own;
  const [{ id: template }] = await sql.unsafe(
    `insert into awx.job_template (name, kind, command, extra_vars) values ('greet', 'command', '{true}', '{"t": 1}')
     returning id::int`,
  );
  const manage = (options?: RunOptions) =>
    client.transaction((tx, publish) => manageWorkflows(tx, publish, options));
  const job = async (workflow: UnifiedJob, node: string) => {
    const { nodes } = await workflowGraph(sql, workflow.id);
    const { job_id } = nodes.find(({ identifier }) => identifier === node)!;
    return (await listJobs(sql, { workflowJobId: workflow.id, limit: 1_000 })).find(({ id }) =>
      id === job_id
    )!;
  };
  return {
    ...own,
    template,
    flow: (flow) => makeFlow(own, template, flow),
    launch: (id) => launch(sql, { kind: "workflow_template", id }),
    manage,
    async end(workflow, node, status, artifacts) {
      const { id: jobId } = await job(workflow, node);
      await client.transaction((tx, publish) =>
        finish(tx, publish, { jobId, taskUuid: null, status, artifacts, closesEvents: true })
      );
      await manage();
    },
    async look(workflow) {
      const { nodes } = await workflowGraph(sql, workflow.id);
      const jobs = await listJobs(sql, { workflowJobId: workflow.id, limit: 1_000 });
      return Object.fromEntries(nodes.map(({ identifier, job_id, do_not_run, error }) => {
        const status = jobs.find(({ id }) => id === job_id)?.status;
        return [identifier, status ?? (do_not_run ? "skipped" : error)];
      }));
    },
    job,
  };
}

let made = 0;
async function makeFlow({ sql }: AwxDatabase, template: number, flow: Flow): Promise<number> {
  const { name = `flow ${++made}`, nodes, edges = [], vars = {}, simultaneous = false } = flow;
  const [{ id }] = await sql.unsafe(
    `insert into awx.workflow_template (name, extra_vars, allow_simultaneous)
     values ($1::text, $2::text::jsonb, $3::boolean) returning id::int`,
    [name, JSON.stringify(vars), simultaneous],
  );
  for (const [identifier, node] of Object.entries(nodes)) {
    await sql.unsafe(
      `insert into awx.workflow_node (workflow_template_id, identifier, template_kind, template_id,
         all_parents_must_converge, extra_vars, host_limit)
       values ($1::bigint, $2::text, $3::text, $4::bigint, $5::boolean, $6::text::jsonb, $7::text)`,
      [
        id,
        identifier,
        node.kind ?? "job_template",
        node.id ?? template,
        node.all ?? false,
        JSON.stringify(node.vars ?? {}),
        node.limit ?? "",
      ],
    );
  }
  for (const edge of edges) {
    const [, parent, kind, child] = /^(\w+)-(\w+)>(\w+)$/.exec(edge)!;
    await sql.unsafe(
      `insert into awx.workflow_edge (parent_id, child_id, kind)
       select p.id, c.id, $4::text from awx.workflow_node p, awx.workflow_node c
       where p.workflow_template_id = $1::bigint and c.workflow_template_id = $1::bigint
         and p.identifier = $2::text and c.identifier = $3::text`,
      [id, parent, child, kind],
    );
  }
  return id;
}
