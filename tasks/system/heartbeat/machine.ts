/**
 * What a node may use of its machine: cores and memory, as the limits of its control groups say.
 *
 * @module
 */
import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { availableParallelism, totalmem } from "node:os";

/** Cores, which may be a part of one, and MB. */
export interface Machine {
  cpu: number;
  memoryMb: number;
}

/** The text of a file, undefined where there is none. */
export type Read = (path: string) => string | undefined;

const MB = 1024 * 1024;
const ROOT = "/sys/fs/cgroup";

/** Measure it. The limits are read anew each time: they may be changed while the node runs. */
export function machine(
  read: Read = readText,
  whole: Machine = { cpu: availableParallelism(), memoryMb: totalmem() / MB },
): Machine {
  const groups = groupsOf(read("/proc/self/cgroup") ?? "");
  const cpu = Math.min(whole.cpu, ...limits(groups.cpu, cpuLimit, read));
  const memoryMb = Math.min(whole.memoryMb, ...limits(groups.memory, memoryLimit, read));
  return { cpu: Math.round(cpu * 100) / 100, memoryMb: Math.floor(memoryMb) };
}

/** Directories of the groups that this process is in, by what they limit. */
interface Groups {
  cpu: string[];
  memory: string[];
}

/**
 * A limit of any group above counts too. In a container the path is that of the machine and leads nowhere here, but its
 * own limits stand at the root.
 */
function groupsOf(text: string): Groups {
  const paths = new Map<string, string>();
  for (const line of text.split("\n")) {
    const [, controllers, path] = /^\d+:([^:]*):(\/.*)$/.exec(line) ?? [];
    if (path !== undefined) { for (const name of controllers.split(",")) paths.set(name, path); }
  }
  const unified = upwards(ROOT, paths.get("") ?? "/");
  return {
    cpu: [...unified, ...upwards(`${ROOT}/cpu`, paths.get("cpu") ?? "/")],
    memory: [...unified, ...upwards(`${ROOT}/memory`, paths.get("memory") ?? "/")],
  };
}

function upwards(root: string, path: string): string[] {
  const names = path.split("/").filter((name) => name !== "" && name !== "..");
  return [root, ...names.map((_, i) => `${root}/${names.slice(0, i + 1).join("/")}`)];
}

type Limit = (directory: string, read: Read) => number;

function limits(directories: string[], limit: Limit, read: Read): number[] {
  return directories.map((directory) => limit(directory, read)).filter((value) => value > 0);
}

/** `150000 100000` of version 2, the same in two files of version 1; NaN where there is none. */
function cpuLimit(directory: string, read: Read): number {
  const [quota, period] = (read(`${directory}/cpu.max`) ?? "").trim().split(" ");
  if (period !== undefined) return Number(quota) / Number(period);
  return Number(read(`${directory}/cpu.cfs_quota_us`)) / Number(read(`${directory}/cpu.cfs_period_us`));
}

function memoryLimit(directory: string, read: Read): number {
  return Number(read(`${directory}/memory.max`) ?? read(`${directory}/memory.limit_in_bytes`)) / MB;
}

/** Deno shows these files to `--allow-all` only; where they are refused a child reads them. */
function readText(path: string): string | undefined {
  try {
    return readFileSync(path, "utf8");
  } catch (error) {
    return (error as Error).name === "NotCapable" ? readByChild(path) : undefined;
  }
}

function readByChild(path: string): string | undefined {
  try {
    return execFileSync("cat", [path], { encoding: "utf8", stdio: ["ignore", "pipe", "ignore"] });
  } catch {
    return undefined;
  }
}
