import { type ChildProcess, spawn } from "node:child_process";
import type { FileRun } from "./run_file.ts";

/** How the process of a test file ended. */
export interface Ended {
  /** `exit code 0` when all is well. */
  exit: string;
  hung: boolean;
  output: string;
}

/** Characters kept of what a file prints: its end. */
const OUTPUT_LIMIT = 400_000;

function command({ runtime, path, timeout }: FileRun): string[] {
  switch (runtime) {
    case "deno":
      return ["test", "-A", "--no-check", "--no-prompt", path];
    case "bun":
      return ["test", "--timeout", String(timeout), `./${path}`];
    case "node":
      // Not `--test`, which would put one more process between; forced, as the other two do: handles may be left.
      return ["--no-warnings", "--test-force-exit", "--test-reporter=spec", path];
  }
}

/** Run the process of a test file in a group of its own; it is killed, group and all, when it hangs or on abort. */
export function runProcess(run: FileRun): Promise<Ended> {
  const env = {
    ...process.env,
    ...run.env,
    NO_COLOR: "1",
    TEST_REPORT: run.report,
    TEST_RUN_ID: run.runId,
  };
  // A process group of its own: a Ctrl-C reaches only the runner, which then ends it in order.
  const options = {
    cwd: run.cwd,
    env,
    detached: true,
    stdio: ["ignore", "pipe", "pipe"] as ["ignore", "pipe", "pipe"],
  };
  const proc = spawn(run.binary, command(run), options);
  const output = capture(proc);
  return new Promise((resolve) => {
    let hung = false;
    const end = (exit: string) => {
      clearTimeout(bound);
      run.signal?.removeEventListener("abort", stop);
      // Let go of outputs that a daemon of the test may hold open.
      setTimeout(() => [proc.stdout, proc.stderr].forEach((stream) => stream?.destroy()), 500);
      resolve({ exit: hung ? `hung: killed after ${run.timeout / 1000} s` : exit, hung, output: output() });
    };
    const stop = () => killGroup(proc);
    const bound = setTimeout(() => {
      hung = true;
      stop();
    }, run.timeout);
    run.signal?.addEventListener("abort", stop);
    proc.once("error", (error) => end(`did not start: ${error.message}`));
    proc.once("exit", (code, signal) => {
      const exit = signal ? `killed by ${signal}` : `exit code ${code}`;
      const drained = new Promise((done) => proc.once("close", done));
      Promise.race([drained, new Promise((done) => setTimeout(done, 500))]).then(() => end(exit));
    });
  });
}

function capture(proc: ChildProcess): () => string {
  let text = "";
  for (const stream of [proc.stdout, proc.stderr]) {
    stream?.setEncoding("utf8").on("data", (piece: string) => text = (text + piece).slice(-OUTPUT_LIMIT));
  }
  return () => text;
}

function killGroup(proc: ChildProcess): void {
  try {
    process.kill(-proc.pid!, "SIGKILL");
  } catch {
    proc.kill("SIGKILL");
  }
}
