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
import { receivers } from "./receivers.ts";
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
  receivers,
  system,
  charts,
  help,
];
