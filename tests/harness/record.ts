import { appendFileSync } from "node:fs";

/**
 * A line of the report which tests/run.ts reads. Written by the harness, not taken from the runtimes' own
 * reports: those of Deno and Bun leave out why a test was skipped, and none is written when a process dies.
 */
export type ReportLine =
  | { type: "test"; id: number; name: string }
  | { type: "start"; id: number }
  | { type: "end"; id: number; status: "passed" | "failed" | "skipped"; ms: number; detail?: string }
  | { type: "stray"; detail: string };

const report = process.env.TEST_REPORT;

/** Append `line` to the file named by TEST_REPORT, at once, so that it outlives a crash; nothing without it. */
export function record(line: ReportLine): void {
  if (report) appendFileSync(report, JSON.stringify(line) + "\n");
}
