/**
 * The control plane as nodes, the command line and the dashboard load it: its tables, its schedules, its commands, its
 * pages. Light: what it names is loaded when it is asked for.
 *
 * @module
 */
import type { Extension } from "edge-dispatcher";
import { MIGRATIONS } from "./jobs/model/migrations.ts";

/** The net under the triggers of what looks at everything that is open; folded with them. */
function manager(task: string) {
  return { task, every: 20, priority: -100, on_duplicate: "queue_one" } as const;
}

export default {
  name: "awx",
  summary: "The control plane: jobs, workflows, projects, inventories",
  migrations: MIGRATIONS,
  schedules: {
    "awx: task manager": manager("scheduler/run_task_manager"),
    "awx: dependency manager": manager("scheduler/run_dependency_manager"),
    "awx: workflow manager": manager("scheduler/run_workflow_manager"),
    "awx: periodic scheduler": manager("scheduler/awx_periodic_scheduler"),
    "awx: heartbeat": {
      task: "system/cluster_node_heartbeat",
      every: 20,
      scope: "node",
      priority: -200,
      on_duplicate: "queue_one",
    },
    "awx: reaper": { task: "system/awx_reaper", every: 20, priority: -200, on_duplicate: "queue_one" },
    "awx: purge": {
      task: "system/purge_old_stdout_files",
      cron: "17 3 * * *",
      scope: "node",
      priority: 100,
      on_duplicate: "discard",
    },
  },
  onStart: [{ task: "system/cluster_node_heartbeat" }],
  commands: async () =>
    (await import("./commands/index.ts" as string) as typeof import("./commands/index.ts")).commands,
  pages: async () =>
    (await import("./pages/index.ts" as string) as typeof import("./pages/index.ts")).chapter,
} satisfies Extension;
