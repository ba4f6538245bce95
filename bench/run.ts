/**
 * `deno task bench [NAME…] [--json] [--quick] [--runtime deno|bun|node]`: measure what the names say, or everything.
 *
 * @module
 */
import process from "node:process";
import { parseArgs } from "node:util";
import { type Runtime, runtimes } from "../tests/harness/runtimes.ts";
import { processIO } from "../cli/io.ts";
import { Progress } from "../cli/progress.ts";
import type { Question, Row } from "./question.ts";
import { openSite, type Site } from "./site.ts";

// A node alone, without what the project's own tasks bring with them.
process.env.DISPATCHER_EXTENSION ??= "off";

/** Each is loaded when it is asked for: the peers of one need not be there for another. */
const QUESTIONS: Record<string, () => Promise<{ default: Question }>> = {
  throughput: () => import("./throughput.ts"),
  work: () => import("./work.ts"),
  bulk: () => import("./bulk.ts"),
  nodes: () => import("./nodes.ts"),
  publish: () => import("./publish.ts"),
  listening: () => import("./listening.ts"),
  latency: () => import("./latency.ts"),
  half_load: () => import("./half_load.ts"),
  start: () => import("./start.ts"),
  idle: () => import("./idle.ts"),
  pool: () => import("./pool.ts"),
  claims: () => import("./claims.ts"),
  footprint: () => import("./footprint.ts"),
  receiver: () => import("./receiver.ts"),
  dashboard: () => import("./dashboard.ts"),
  observe: () => import("./observe.ts"),
  bloat: () => import("./bloat.ts"),
  history: () => import("./history.ts"),
};

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    json: { type: "boolean", default: false },
    quick: { type: "boolean", default: false },
    runtime: { type: "string" },
  },
});
const names = positionals.length > 0 ? positionals : Object.keys(QUESTIONS);
for (const name of names) {
  if (Object.hasOwn(QUESTIONS, name)) continue;
  refuse(`no measurement "${name}"; there are ${Object.keys(QUESTIONS).join(", ")}`);
}
const runtime = (values.runtime ?? "node") as Runtime;
// Peers are on Node always.
for (const name of new Set([runtime, "node"])) {
  if (!Object.hasOwn(runtimes(), name)) refuse(`no runtime "${name}" that is new enough on PATH`);
}
const there = (["node", "deno", "bun"] as const).filter((name) => Object.hasOwn(runtimes(), name));

const stopping = new AbortController();
const stopped = Promise.withResolvers<never>();
stopped.promise.catch(() => {});
for (const signal of ["SIGINT", "SIGTERM"] as const) {
  process.on(signal, () => {
    // What is under way breaks then, and must not end this process before all is cleared away.
    for (const event of ["unhandledRejection", "uncaughtException"]) process.on(event, () => {});
    stopping.abort();
    stopped.reject(stopping.signal.reason);
  });
}
const progress = new Progress(processIO, "Questions", names.length);
const tell = (line: string) => {
  progress.end();
  if (!stopping.signal.aborted) console.error(`  ${line}`);
  progress.advance(0);
};
const { quick } = values;
try {
  const site = await openSite({
    quick,
    runtime,
    runtimes: values.runtime ? [runtime] : there,
    tell,
    signal: stopping.signal,
  });
  // Whatever the question waits for then, nobody may answer any more.
  stopping.signal.addEventListener("abort", () => void site.close().finally(() => process.exit(130)));
  try {
    for (const name of names) {
      await answer(site, name, (await QUESTIONS[name]()).default);
      progress.advance(1);
    }
    progress.end();
  } finally {
    await site.close();
  }
} catch (error) {
  if (!stopping.signal.aborted) throw error;
}
process.exit(stopping.signal.aborted ? 130 : 0);

async function answer(site: Site, name: string, { question, run }: Question): Promise<void> {
  progress.end();
  if (!values.json) console.error(`${name}: ${question}`);
  for (const [runtime, rows] of Object.entries(await Promise.race([run(site), stopped.promise]))) {
    progress.end();
    if (values.json) console.log(JSON.stringify({ name, question, runtime, rows }));
    else print(runtime, rows);
  }
}

function refuse(why: string): never {
  console.error(`bench: ${why}`);
  process.exit(2);
}

function print(runtime: string, rows: Row[]): void {
  const columns = [...new Set(rows.flatMap((row) => Object.keys(row)))];
  const lines = [
    [runtime, ...columns.slice(1)],
    ...rows.map((row) => columns.map((key) => `${row[key] ?? ""}`)),
  ];
  const widths = columns.map((_, i) => Math.max(...lines.map((line) => line[i].length)));
  for (const line of lines) {
    console.log(
      line.map((cell, i) => i === 0 ? cell.padEnd(widths[i]) : cell.padStart(widths[i])).join("  "),
    );
  }
  console.log();
}
