/**
 * The processes of this machine as /proc shows them: who is below whom, and what they cost.
 *
 * @module
 */
import { readdirSync, readFileSync } from "node:fs";

export interface ProcessStat {
  pid: number;
  parent: number;
  /** Clock ticks in user and system mode. */
  ticks: number;
}

/** Read /proc/PID/stat of every process. */
function processes(): ProcessStat[] {
  return readdirSync("/proc").filter((name) => /^\d+$/.test(name)).flatMap((pid) => {
    try {
      const text = readFileSync(`/proc/${pid}/stat`, "latin1");
      const fields = text.slice(text.lastIndexOf(")") + 2).split(" ");
      if (fields[0] === "Z") return [];
      return [{
        pid: Number(pid),
        parent: Number(fields[1]),
        ticks: Number(fields[11]) + Number(fields[12]),
      }];
    } catch {
      return [];
    }
  });
}

/** The live processes below one, with the CPU time that each has used. */
export function descendants(pid: number): ProcessStat[] {
  const all = processes();
  const found = all.filter((process) => process.parent === pid);
  // The list grows while the loop walks it.
  for (const { pid } of found) found.push(...all.filter((process) => process.parent === pid));
  return found;
}

export function isRunning(pid: number): boolean {
  return processes().some((process) => process.pid === pid);
}

/** CPU time of a process and all below it, in clock ticks. */
export function ticksOf(pid: number): number {
  const own = processes().filter((process) => process.pid === pid);
  return [...own, ...descendants(pid)].reduce((sum, { ticks }) => sum + ticks, 0);
}
