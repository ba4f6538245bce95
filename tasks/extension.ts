/**
 * The control plane as nodes, the command line and the dashboard load it: its tables, its schedules, its commands, its
 * pages. Light: what it names is loaded when it is asked for.
 *
 * @module
 */
import type { Extension } from "edge-dispatcher";
import { MIGRATIONS } from "./jobs/model/migrations.ts";

export default {
  name: "awx",
  migrations: MIGRATIONS,
} satisfies Extension;
