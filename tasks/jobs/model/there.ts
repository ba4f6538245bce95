/**
 * That a template is there: those who name it by kind and id have no foreign key.
 *
 * @module
 */
import { DispatcherError } from "edge-dispatcher";
import { z } from "zod";
import type { TemplateRef } from "./launch.ts";
import { type Db, row } from "./rows.ts";
import { SYSTEM_JOBS } from "./system_jobs.ts";
import type { TemplateKind } from "./unified_job.ts";

const namedSchema = z.object({ name: z.string() });
const KEPT: Readonly<Record<Exclude<TemplateKind, "system">, string>> = {
  job_template: "select name from awx.job_template where id = $1::bigint for key share",
  project: "select name from awx.project where id = $1::bigint for key share",
  workflow_template: "select name from awx.workflow_template where id = $1::bigint for key share",
  inventory_source: "select name from awx.inventory_source where id = $1::bigint for key share",
};

/**
 * That a template is there, and stays until the transaction's end.
 *
 * @param what For the message, such as `create schedule "nightly"`.
 * @throws {DispatcherError} `usage` when it is not.
 */
export async function mustBeThere(db: Db, { kind, id }: TemplateRef, what: string): Promise<void> {
  const there = kind === "system"
    ? SYSTEM_JOBS.some((job) => job.id === id)
    : await row(db, namedSchema, KEPT[kind], [id]);
  if (there) return;
  const noun = kind === "system" ? "system job" : kind.replaceAll("_", " ");
  throw new DispatcherError("usage", `Cannot ${what}: there is no ${noun} ${id}`);
}
