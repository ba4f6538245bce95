/**
 * `deno task bench [NAME…] [--json] [--quick]`: measure what the names say, or everything.
 *
 * @module
 */
import process from "node:process";
import { parseArgs } from "node:util";
import type { Question, Row } from "./question.ts";
import { openSite } from "./site.ts";

/** Each is loaded when it is asked for: the peers of one need not be there for another. */
const QUESTIONS: Record<string, () => Promise<{ default: Question }>> = {
  bloat: () => import("./bloat.ts"),
  history: () => import("./history.ts"),
};

const runtime = "Deno" in globalThis ? "deno" : "Bun" in globalThis ? "bun" : "node";

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { json: { type: "boolean", default: false }, quick: { type: "boolean", default: false } },
});
const names = positionals.length > 0 ? positionals : Object.keys(QUESTIONS);
for (const name of names) {
  if (name in QUESTIONS) continue;
  console.error(`bench: no measurement "${name}"; there are ${Object.keys(QUESTIONS).join(", ")}`);
  process.exit(2);
}

const site = await openSite({ quick: values.quick, tell: (line) => console.error(`  ${line}`) });
try {
  for (const name of names) {
    const { question, run } = (await QUESTIONS[name]()).default;
    if (!values.json) console.error(`${name}: ${question}`);
    const rows = await run(site);
    if (values.json) console.log(JSON.stringify({ name, question, runtime, rows }));
    else print(rows);
  }
} finally {
  await site.close();
}
process.exit(0);

function print(rows: Row[]): void {
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
