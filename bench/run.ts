/**
 * `deno task bench [NAME…] [--json] [--quick] [--runtime deno|bun|node]`: measure what the names say, or everything.
 *
 * @module
 */
import process from "node:process";
import { parseArgs } from "node:util";
import type { Question, Row } from "./question.ts";
import { measured, thisRuntime } from "./runtimes.ts";
import { openSite } from "./site.ts";

/** Each is loaded when it is asked for: the peers of one need not be there for another. */
const QUESTIONS: Record<string, () => Promise<{ default: Question }>> = {
  bloat: () => import("./bloat.ts"),
  claims: () => import("./claims.ts"),
  footprint: () => import("./footprint.ts"),
  history: () => import("./history.ts"),
  idle: () => import("./idle.ts"),
  pool: () => import("./pool.ts"),
  start: () => import("./start.ts"),
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
  if (name in QUESTIONS) continue;
  console.error(`bench: no measurement "${name}"; there are ${Object.keys(QUESTIONS).join(", ")}`);
  process.exit(2);
}

const opening = openSite({
  quick: values.quick,
  runtimes: measured(values.runtime),
  tell: (line) => console.error(`  ${line}`),
});
let stopping: Promise<void> | undefined;
for (const signal of ["SIGINT", "SIGTERM"] as const) {
  process.on(signal, () => {
    // What is measured breaks when its database goes away, and must not end this process before all is cleared away.
    for (const event of ["unhandledRejection", "uncaughtException"]) process.on(event, () => {});
    stopping ??= opening.then((site) => site.close()).finally(() => process.exit(130));
  });
}
const site = await opening;
try {
  for (const name of names) {
    const { question, run } = (await QUESTIONS[name]()).default;
    if (!values.json) console.error(`${name}: ${question}`);
    const answer = await run(site);
    // Those that measure one runtime only measure the one they run on.
    const answers = Array.isArray(answer) ? { [thisRuntime()]: answer } : answer;
    for (const [runtime, rows] of Object.entries(answers)) {
      if (values.json) console.log(JSON.stringify({ name, question, runtime, rows }));
      else print(rows, runtime);
    }
  }
} catch (error) {
  if (!stopping) throw error;
} finally {
  await (stopping ?? site.close());
}
process.exit(0);

function print(rows: Row[], runtime: string): void {
  console.log(runtime);
  const columns = [...new Set(rows.flatMap((row) => Object.keys(row)))];
  const lines = [columns, ...rows.map((row) => columns.map((column) => `${row[column] ?? ""}`))];
  const widths = columns.map((_, i) => Math.max(...lines.map((line) => line[i].length)));
  for (const line of lines) {
    console.log(
      line.map((cell, i) => i === 0 ? cell.padEnd(widths[i]) : cell.padStart(widths[i])).join("  "),
    );
  }
  console.log();
}
