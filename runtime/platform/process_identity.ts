/**
 * Which process this is, for ever: a pid alone is used again, and in containers every dispatcher is pid 1.
 *
 * @module
 */
import { readFileSync, readlinkSync } from "node:fs";
import process from "node:process";

/** Machine boot, process namespace and start time; just the pid where the system does not tell. */
export function processIdentity(pid: number = process.pid): string {
  return `${machine()}/${startTime(pid) ?? pid}`;
}

/**
 * Whether the process behind an identity is known to be dead: it was on this machine, in this namespace, and
 * its pid is free or somebody else's. False when that cannot be known from here.
 */
export function isKnownDead(identity: string, pid: number): boolean {
  const here = machine();
  if (here === UNKNOWN || !identity.startsWith(`${here}/`)) return false;
  return identity !== `${here}/${startTime(pid) ?? "gone"}`;
}

const UNKNOWN = "unknown";

function machine(): string {
  try {
    return `${readFileSync("/proc/sys/kernel/random/boot_id", "utf8").trim()}/${
      readlinkSync("/proc/self/ns/pid")
    }`;
  } catch {
    return UNKNOWN;
  }
}

function startTime(pid: number): string | undefined {
  try {
    // Behind the command's name, which may hold anything: field 22 of the whole, the 20th from there.
    const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
    return stat.slice(stat.lastIndexOf(")") + 2).split(" ")[19];
  } catch {
    return undefined;
  }
}
