/**
 * Hooks: a module of the operator's whose functions run inside every worker, around its tasks.
 *
 * @module
 */
import { fileUrl } from "../platform/files.ts";

/** What a hook may know of the task it runs around. */
export interface HookTask {
  uuid: string;
  task: string;
  attempt: number;
}

/** The exports of a hooks module; each may be left out, and may be async. */
export interface Hooks {
  /** When the worker starts, before its first task. An error here keeps the worker from starting. */
  onStart?(): unknown;
  /** When the worker is stopped in peace: retired, scaled down, or at the node's shutdown. */
  onShutdown?(): unknown;
  /** Before each task. An error here fails the attempt. */
  preTask?(task: HookTask): unknown;
  /** After each task, whatever became of it. An error here is logged. */
  postTask?(task: HookTask & { ok: boolean }): unknown;
  /** When the worker has been idle for `idle_seconds`, and again after as long. */
  onIdle?(): unknown;
}

const NAMES = ["onStart", "onShutdown", "preTask", "postTask", "onIdle"] as const;

/** Load a hooks module; what it exports besides hooks is its own affair. */
export async function loadHooks(path: string | undefined): Promise<Hooks> {
  if (path === undefined) return {};
  const module = await import(fileUrl(path));
  const hooks: Record<string, unknown> = {};
  for (const name of NAMES) {
    if (module[name] === undefined) continue;
    if (typeof module[name] !== "function") {
      throw new TypeError(`Hook ${name} of "${path}" is not a function`);
    }
    hooks[name] = module[name];
  }
  return hooks as Hooks;
}
