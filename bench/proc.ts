/**
 * What processes cost, as /proc shows it: one and all below it.
 *
 * @module
 */
import { readdirSync, readFileSync } from "node:fs";
import { descendants } from "../tests/processes_below.ts";

function tree(pid: number): number[] {
  return [pid, ...descendants(pid).map((process) => process.pid)];
}

/** Seconds of CPU that the live threads of a process and of all below it have used; to the nanosecond. */
export function cpuSeconds(pid: number): number {
  let nanoseconds = 0;
  for (const pid_ of tree(pid)) {
    for (const thread of readdirSync(`/proc/${pid_}/task`)) {
      try {
        nanoseconds += Number(readFileSync(`/proc/${pid_}/task/${thread}/schedstat`, "latin1").split(" ")[0]);
      } catch {
        // It ended meanwhile.
      }
    }
  }
  return nanoseconds / 1e9;
}

/** Resident memory in MB of a process and of all below it, by process: what each has, and its share of what is shared. */
export function memory(pid: number): { pid: number; rss: number; pss: number }[] {
  return tree(pid).map((pid) => {
    const text = readFileSync(`/proc/${pid}/smaps_rollup`, "latin1");
    const of = (name: string) => Number(new RegExp(`^${name}:\\s+(\\d+)`, "m").exec(text)![1]) / 1_024;
    return { pid, rss: of("Rss"), pss: of("Pss") };
  });
}
