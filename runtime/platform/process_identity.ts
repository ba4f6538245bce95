/**
 * Which process this is, for ever: a pid alone is used again, and in containers every dispatcher is pid 1.
 *
 * @module
 */
import { execFileSync } from "node:child_process";
import { readFileSync, readlinkSync } from "node:fs";
import process from "node:process";
import { denoProgram } from "./deno_permissions.ts";

/** Machine boot, process namespace and start time; just the pid where the system does not tell. */
export function processIdentity(pid: number = process.pid): string {
  const here = machine();
  if (here === UNKNOWN && "Deno" in globalThis) return identityByChild(pid) ?? `${UNKNOWN}/${pid}`;
  return `${here}/${startTime(pid) || pid}`;
}

/** Deno shows /proc to nobody but `--allow-all`, and that is what a child of it may be; 60 ms, once at a start. */
function identityByChild(pid: number): string | undefined {
  const code = `import { processIdentity } from ${JSON.stringify(import.meta.url)};
    process.stdout.write(processIdentity(${pid}));`;
  const deno = denoProgram();
  if (deno === undefined || process.env[ASKED]) return undefined;
  const env = { ...process.env, [ASKED]: "1" };
  try {
    const args = ["eval", "--quiet", "--no-config", code];
    return execFileSync(deno, args, {
      env,
      encoding: "utf8",
      stdio: ["ignore", "pipe", "ignore"],
    });
  } catch {
    return undefined;
  }
}

/**
 * Whether the process behind an identity is known to be dead: it was on this machine, in this namespace, and
 * its pid is free, a zombie's, or somebody else's. False when that cannot be known from here.
 */
export function isKnownDead(identity: string, pid: number): boolean {
  const known = processIdentity(pid);
  const here = known.slice(0, known.lastIndexOf("/"));
  if (here === UNKNOWN || !identity.startsWith(`${here}/`)) return false;
  return !isAlive(pid) || identity !== known;
}

/** Tell whether a process runs. A zombie counts as dead, although a signal 0 still reaches it. */
export function isAlive(pid: number): boolean {
  const state = statOf(pid)?.[0];
  if (state) return state !== "Z" && state !== "X";
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as { code?: string }).code === "EPERM";
  }
}

/** When the process began, in ticks since boot; "" where there is no /proc. With the pid it names one process. */
export function startTime(pid: number): string {
  return statOf(pid)?.[19] ?? "";
}

/** The fields of /proc/PID/stat from the state on; the program's name before them may hold spaces. */
function statOf(pid: number): string[] | undefined {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, "latin1");
    return text.slice(text.lastIndexOf(")") + 2).split(" ");
  } catch {
    return undefined;
  }
}

const UNKNOWN = "unknown";
/** Set for the child that looks, so that it looks only once. */
const ASKED = "DISPATCHER_ASKED_IDENTITY";

function machine(): string {
  try {
    const boot = readFileSync("/proc/sys/kernel/random/boot_id", "utf8").trim();
    return `${boot}/${readlinkSync("/proc/self/ns/pid")}`;
  } catch {
    return UNKNOWN;
  }
}
