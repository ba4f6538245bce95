import { existsSync, readFileSync } from "node:fs";
import type { ReportLine } from "../harness/record.ts";
import type { Runtime } from "./binaries.ts";
import { killLeftovers } from "./leftovers.ts";
import { type Ended, runProcess } from "./run_process.ts";

export interface FileRun {
  runtime: Runtime;
  binary: string;
  /** From `cwd`. */
  path: string;
  cwd: string;
  env: Record<string, string>;
  /** Where the harness writes its report. */
  report: string;
  /** The TEST_RUN_ID of this file's processes. */
  runId: string;
  /** Milliseconds until it counts as hung. */
  timeout: number;
  /** Milliseconds that what it started has to end after it; 2,000 unless told. */
  grace?: number;
  signal?: AbortSignal;
}

export interface Note {
  name: string;
  detail: string;
}

export interface FileResult {
  runtime: Runtime;
  path: string;
  passed: number;
  failed: Note[];
  skipped: Note[];
  ms: number;
  output: string;
}

/** Run one test file on one runtime, and give exactly what its report says and what the process did besides. */
export async function runFile(run: FileRun): Promise<FileResult> {
  const started = performance.now();
  const ended = await runProcess(run);
  // What a killed file left is no news.
  const cut = ended.hung || run.signal?.aborted;
  const left = await killLeftovers(run.runId, cut ? 0 : run.grace);
  const lines = existsSync(run.report) ? readReport(readFileSync(run.report, "utf8")) : [];
  const result = tally(lines, ended);
  if (!cut) {
    for (const { pid, command } of left) {
      result.failed.push({ name: "(left running)", detail: `process ${pid}: ${command}` });
    }
  }
  const ms = performance.now() - started;
  return { runtime: run.runtime, path: run.path, ms, output: ended.output, ...result };
}

/** Count what the report says; a test that began or was declared and has no end failed, as did what has no test. */
export function tally(
  lines: ReportLine[],
  { exit, hung }: Ended,
): Pick<FileResult, "passed" | "failed" | "skipped"> {
  const names = new Map<number, string>();
  const begun = new Set<number>();
  const result = { passed: 0, failed: [] as Note[], skipped: [] as Note[] };
  for (const line of lines) {
    if (line.type === "stray") result.failed.push({ name: "(outside of a test)", detail: line.detail });
    else if (line.type === "test") names.set(line.id, line.name);
    else if (line.type === "start") begun.add(line.id);
    else {
      const name = names.get(line.id) ?? `(test ${line.id})`;
      names.delete(line.id);
      if (line.status === "passed") result.passed++;
      else result[line.status].push({ name, detail: line.detail ?? "" });
    }
  }
  for (const [id, name] of names) {
    result.failed.push({ name, detail: `${begun.has(id) ? "did not end" : "did not run"} (${exit})` });
  }
  if (result.failed.length > 0) return result;
  // The process has the last word: an error that no test owns, or no report at all.
  if (exit !== "exit code 0" || hung) {
    result.failed.push({ name: "(the file)", detail: `${exit}, see its output` });
  } else if (lines.length === 0) result.failed.push({ name: "(the file)", detail: "declared no test" });
  return result;
}

function readReport(text: string): ReportLine[] {
  const whole = text.slice(0, text.lastIndexOf("\n") + 1);
  return whole.split("\n").filter(Boolean).map((line) => JSON.parse(line));
}
