/**
 * The one way to act: it asks whether one may, does it, and keeps a record of it, whatever came of it.
 *
 * @module
 */
import { errorLine } from "../errors.ts";
import type { AuditEntry } from "../store/operator.ts";
import { demandOperator } from "./access.ts";
import type { Ctx } from "./env.ts";

/** What was done. */
export interface Acted<T> {
  value: T;
  /** How many things it changed, by default 1. */
  count?: number;
  /** What else to keep; no arguments, no secrets. */
  detail?: Record<string, unknown>;
}

/** What can be done. */
export type Action =
  | "publish"
  | "run"
  | "cancel"
  | "retry"
  | "discard"
  | "pause"
  | "resume"
  | "purge"
  | "drain"
  | "node_resume"
  | "scale"
  | "log_level"
  | "schedule_run"
  | "schedule_pause"
  | "schedule_resume"
  /** Of an extension. */
  | `${string}.${string}`;

const TARGET_CHARS = 400;

/**
 * Act for whoever asks.
 *
 * @param target What it is done to: a uuid or several, a queue, a node, a task.
 * @throws {HTTPException} 403 for a viewer; whatever `fn` throws, which is recorded first.
 *
 * @example
 * ```ts ignore
 * const done = await act(c, "cancel", uuid, async (client) => {
 *   const value = await client.cancel([uuid]);
 *   return { value, count: value.length };
 * });
 * ```
 */
export async function act<T>(
  c: Ctx,
  action: Action,
  target: string,
  fn: (client: Awaited<ReturnType<Ctx["var"]["parts"]["client"]>>) => Promise<Acted<T>>,
): Promise<T> {
  // PostgreSQL has no NUL in its texts.
  const about = { action, target: target.slice(0, TARGET_CHARS).replaceAll("\0", "\ufffd") };
  try {
    demandOperator(c);
    const { value, count = 1, detail = {} } = await fn(await c.var.parts.client());
    await record(c, { ...about, count, ok: true, detail });
    return value;
  } catch (error) {
    await record(c, { ...about, count: 0, ok: false, detail: { error: errorLine(error) } });
    throw error;
  }
}

/** An action is not undone because its record cannot be kept: then the log has it. */
async function record(
  c: Ctx,
  what: Pick<AuditEntry, "action" | "target" | "count" | "ok" | "detail">,
): Promise<void> {
  const { parts, who: { name, how } } = c.var;
  const entry: AuditEntry = { who: name, how, address: c.env.address, node: parts.node.name, ...what };
  const fields = { ...entry };
  const text = `${how} "${name}" ${what.ok ? "did" : "could not"} ${what.action} ${what.target}`;
  parts.events.emit("info", "http.acted", text, fields);
  try {
    await (await parts.client()).audit(entry);
  } catch (error) {
    parts.events.emit(
      "error",
      "http.unrecorded",
      `${text}: the audit has no record of it: ${errorLine(error)}`,
      fields,
    );
  }
}
