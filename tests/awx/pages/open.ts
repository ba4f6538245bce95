/**
 * The pages of the control plane in the test's own process, over tables that are filled.
 *
 * @module
 */
import { chapter } from "../../../tasks/pages/index.ts";
import type { TestContext } from "../../harness.ts";
import { site } from "../../http/site.ts";
import { visitor } from "../../http/visitor.ts";
import { awxDatabase } from "../database.ts";
import { plant } from "./fixture.ts";

export async function open(t: TestContext, config = {}) {
  const { client, sql } = await awxDatabase(t);
  const made = await site({ client, chapter, config });
  return { ...made, ...visitor(made, 0), client, sql, ...await plant(sql) };
}

export type Opened = Awaited<ReturnType<typeof open>>;

/** The paths of all pages. */
export const pagesOf = ({ failed, pending, running, workflow, template }: Opened) => [
  "/jobs",
  "/jobs?q=status:failed",
  `/jobs/launch?template=job_template:${template}`,
  ...[failed, pending, running, workflow].map((id) => `/jobs/${id}`),
  "/workflows",
  `/workflows/${workflow}`,
  "/instances",
  "/resources",
];

/** What one reads. */
export const plain = (text: string) =>
  text.replace(/<[^>]*>/g, " ").replaceAll("&quot;", '"').replaceAll("&#39;", "'").replace(/\s+/g, " ");
