/**
 * Envelopes as they may be shown: without keyword arguments; arguments, progress and result redacted. The command
 * `result` prints the result as it is.
 *
 * @module
 */
import type { Client } from "../runtime/client.ts";
import { redact } from "../runtime/redact.ts";

type Row = Awaited<ReturnType<Client["list"]>>[number];

/** A row for `--json`. */
export function shownRow({ kwargs: _, ...row }: Row): Record<string, unknown> {
  return { ...row, args: redact(row.args), progress: redact(row.progress), result: redact(row.result) };
}
