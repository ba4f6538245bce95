/**
 * The pages by their paths.
 *
 * @module
 */
import type { Page } from "../page.ts";
import { charts } from "./charts.ts";
import { envelope } from "./envelope.ts";
import { envelopes } from "./envelopes.ts";
import { failures } from "./failures.ts";
import { help } from "./help.ts";
import { nodes } from "./nodes.ts";
import { overview } from "./overview.ts";
import { queues } from "./queues.ts";
import { schedules } from "./schedules.ts";
import { system } from "./system.ts";

export const PAGES: readonly Page[] = [
  overview,
  envelopes,
  envelope,
  queues,
  nodes,
  schedules,
  failures,
  system,
  charts,
  help,
];

/** The page at a path, and what stands in the place of its names. */
export function pageAt(path: string): { page: Page; params: Record<string, string> } | undefined {
  for (const page of PAGES) {
    if (page.path === path) return { page, params: {} };
  }
  const [, uuid] = /^\/envelopes\/([^/]+)$/.exec(path) ?? [];
  return uuid === undefined ? undefined : { page: envelope, params: { uuid: decodeURIComponent(uuid) } };
}
