/**
 * The control plane's own tables, schema `awx`.
 *
 * @module
 */
import type { Migrations } from "edge-dispatcher";

export const MIGRATIONS: Migrations = {
  schema: "awx",
  directory: new URL("./migrations/", import.meta.url),
  list: [{ version: 1, name: "0001_control_plane", worksWith: 1 }],
};
