/**
 * Real nodes with the tasks of this area, whose leases and graces are short.
 *
 * @module
 */
import { fileURLToPath } from "node:url";
import { connect, type Database } from "../../../mod.ts";
import { MIGRATIONS } from "../../../tasks/jobs/model/migrations.ts";
import { writeSetting } from "../../../tasks/jobs/model/settings.ts";
import type { TestContext } from "../../harness.ts";
import { type Cluster, cluster, type NodeOptions } from "../../integration/cluster.ts";
import type { NodeProcess } from "../../processes.ts";

const TASKS = fileURLToPath(new URL("./tasks", import.meta.url));
/** Seconds. */
export const GRACE = 4;

const config = {
  lease_seconds: 5,
  heartbeat_seconds: 0.5,
  leader_seconds: 5,
  safety_poll_seconds: 1,
  shutdown_wait: 1,
  schedules: {
    heartbeat: {
      task: "system/cluster_node_heartbeat",
      every: 0.5,
      scope: "node",
      priority: -200,
      on_duplicate: "queue_one",
    },
    reaper: { task: "system/awx_reaper", every: 0.5, priority: -200, on_duplicate: "queue_one" },
  },
  on_start: [{ task: "system/cluster_node_heartbeat" }],
};

export interface AwxCluster extends Cluster {
  readonly sql: Database;
  start(name: string, options?: Partial<NodeOptions>): Promise<NodeProcess>;
}

/** A database with all tables, and nodes that are started on it one by one. */
export async function awxCluster(t: TestContext): Promise<AwxCluster> {
  const made = await cluster(t);
  const own = await connect({ databaseUrl: made.url, migrations: MIGRATIONS });
  t.after(() => own.close());
  const sql = own.database();
  await writeSetting(sql, "HEARTBEAT_GRACE", GRACE);
  return {
    ...made,
    sql,
    start: (name, options) => made.node({ name, workers: 4, tasks: TASKS, config, ...options }),
  };
}
