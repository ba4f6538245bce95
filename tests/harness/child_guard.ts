import { type ChildProcess, spawn } from "node:child_process";
import type { Socket } from "node:net";
import { onProcessEnd } from "./process_end.ts";

const children = new Set<ChildProcess>();
// Processes that are no children of this one, such as a server that runs as a daemon.
const others = new Set<number>();
let guard: ChildProcess | undefined;

/**
 * See to it that `child` does not outlive this process. At an orderly end it is killed from here; since `deno
 * test` runs nothing on SIGINT, and no runtime on SIGKILL, a shell also holds a pipe from this process: its end
 * of file means that we are gone, and the shell kills what stands on the last line it was sent.
 */
export function guardChild(child: ChildProcess): void {
  watchEnd();
  children.add(child);
  tellGuard();
  child.once("exit", () => {
    children.delete(child);
    tellGuard();
  });
}

/** The same for a process that is not a child; the returned function is called when it has ended. */
export function guardPid(pid: number): () => void {
  watchEnd();
  others.add(pid);
  tellGuard();
  return () => {
    others.delete(pid);
    tellGuard();
  };
}

let watching = false;

function watchEnd(): void {
  if (watching) return;
  watching = true;
  onProcessEnd(() => {
    children.forEach((child) => child.kill("SIGKILL"));
    for (const pid of others) {
      try {
        process.kill(pid, "SIGKILL");
      } catch {
        // It has ended.
      }
    }
  });
}

function tellGuard(): void {
  if (process.platform === "win32") return;
  guard ??= startGuard();
  guard.stdin?.write([...[...children].map((child) => child.pid), ...others].join(" ") + "\n");
}

function startGuard(): ChildProcess {
  // It must outlive a Ctrl-C, which reaches the whole group.
  const script =
    `trap '' INT TERM HUP; while read -r line; do pids=$line; done; [ -z "$pids" ] || kill -9 $pids`;
  const started = spawn("/bin/sh", ["-c", script], { stdio: ["pipe", "ignore", "ignore"] });
  started.unref();
  // Bun's has no unref, and does not keep the process.
  (started.stdin as Socket | null)?.unref?.();
  started.stdin?.on("error", () => {});
  return started;
}
