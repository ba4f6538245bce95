/**
 * Nodes, templates and jobs in a database, and runs of the managers on it without a node.
 *
 * @module
 */
import { runDependencyManager } from "../../../tasks/managers/dependency_manager/run.ts";
import { type RunOptions, runTaskManager } from "../../../tasks/managers/task_manager/run.ts";
import { dropSettings } from "../../../tasks/jobs/model/settings.ts";
import { jobById, type UnifiedJob } from "../../../tasks/jobs/model/unified_job.ts";
import type { TestContext } from "../../harness.ts";
import { type AwxDatabase, awxDatabase } from "../database.ts";

export interface Site extends AwxDatabase {
  /** Insert a row and give its number. */
  insert(table: string, values: Record<string, unknown>): Promise<number>;
  /** Insert a pending job. */
  pending(values?: Record<string, unknown>): Promise<number>;
  instance(hostname: string, capacity: number, resources?: Record<string, number>): Promise<void>;
  job(id: number): Promise<UnifiedJob>;
  set(id: number, values: Record<string, unknown>): Promise<void>;
  dependencyManager(now?: () => number): ReturnType<typeof runDependencyManager>;
  taskManager(options?: RunOptions): ReturnType<typeof runTaskManager>;
  /** Messages whose task's name begins so. */
  sent(task: string): Promise<{ uuid: string; queue: string; args: unknown; priority: number }[]>;
}

/** Make one, of its own for a test. */
export async function site(t: TestContext): Promise<Site> {
  return siteOn(await awxDatabase(t));
}

/** One for all tests of a file, empty for each; `end` is for the last of them. */
export function sharedSite(): (() => Promise<Site>) & { end(): Promise<void> } {
  const cleanUps: (() => unknown)[] = [];
  let shared: Promise<AwxDatabase> | undefined;
  const empty = async () => {
    shared ??= awxDatabase({ after: (cleanUp) => cleanUps.push(cleanUp) });
    const own = await shared;
    await own.sql.unsafe(EMPTY);
    return siteOn(own);
  };
  const end = async () => {
    for (const cleanUp of cleanUps.reverse()) await cleanUp();
  };
  return Object.assign(empty, { end });
}

const EMPTY =
  `truncate awx.unified_job, awx.instance, awx.instance_group, awx.project, awx.inventory, awx.job_template,
    awx.setting, dispatcher.envelope, dispatcher.archive restart identity cascade;
  insert into awx.instance_group (name, all_instances) values ('default', true)`;

function siteOn(own: AwxDatabase): Site {
  const { sql, client } = own;
  // Those of the test before are kept for a moment.
  dropSettings();
  const insert = async (table: string, values: Record<string, unknown>) => {
    const names = Object.keys(values).join(", ");
    const text = `insert into awx.${table} (${names})
      select ${names} from jsonb_populate_record(null::awx.${table}, $1::text::jsonb) returning id::int`;
    return (await sql.unsafe(text, [JSON.stringify(values)]))[0].id as number;
  };
  return {
    ...own,
    insert,
    pending: (values = {}) =>
      insert("unified_job", {
        kind: "ad_hoc_command",
        name: "ping",
        dependencies_processed: true,
        ...values,
      }),
    instance: async (hostname, capacity, resources = {}) => {
      await sql.unsafe(
        `insert into awx.instance (hostname, capacity, resources) values ($1::text, $2::int, $3::text::jsonb)`,
        [hostname, capacity, JSON.stringify(resources)],
      );
    },
    job: (id) => jobById(sql, id),
    set: async (id, values) => {
      const names = Object.keys(values);
      await sql.unsafe(
        `update awx.unified_job j set ${names.map((name) => `${name} = r.${name}`).join(", ")}
         from jsonb_populate_record(null::awx.unified_job, $2::text::jsonb) r where j.id = $1::bigint`,
        [id, JSON.stringify(values)],
      );
    },
    dependencyManager: (now) => client.transaction((tx, publish) => runDependencyManager(tx, publish, now)),
    taskManager: (options) => client.transaction((tx, publish) => runTaskManager(tx, publish, options)),
    sent: async (task) =>
      (await client.list({ limit: 10_000 })).filter((row) => row.task.startsWith(task)).map((
        { uuid, queue, args, priority },
      ) => ({ uuid, queue, args, priority })),
  };
}
