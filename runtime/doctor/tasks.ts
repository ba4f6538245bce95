/**
 * Whether a name stands for a file of the tasks: looked for, not loaded, since to load it is to run it.
 *
 * @module
 */
import { existsSync } from "node:fs";
import { join } from "node:path";
import { readName } from "../registry.ts";

/** Where tasks are. */
export interface TaskPlace {
  tasks: string;
  task_prefixes: string[];
  task_allow: string[];
}

/** Why a name is no task here; null when it may be one. */
export function faultOf(name: string, { tasks, task_prefixes, task_allow }: TaskPlace): string | null {
  try {
    const candidates = readName(name, task_prefixes);
    const allowed = candidates.filter(({ path }) =>
      task_allow.length === 0 || task_allow.some((prefix) => path.startsWith(prefix))
    );
    if (allowed.length === 0) return `only ${task_allow.join(", ")} are allowed`;
    const there = allowed.some(({ path }) =>
      [".ts", ".js", ".mjs"].some((extension) => existsSync(join(tasks, ...path.split("/")) + extension))
    );
    return there ? null : `there is no ${candidates[0].path}.ts`;
  } catch (error) {
    return (error as Error).message.replace(/^.* is not a valid task: /, "");
  }
}
