/**
 * `deno task chaos [--seed S] [--minutes M] [--runtimes deno,bun,node] [--outage SECONDS]`: break a cluster for a while and
 * prove that nothing was lost. Exit code 1 when a law was broken.
 *
 * @module
 */
import process from "node:process";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { writeFileSync } from "node:fs";
import type { Runtime } from "../runner/binaries.ts";
import { findRuntimes } from "../runner/runtimes.ts";
import { runChaos } from "./chaos.ts";
import { held, summary } from "./report.ts";

process.env.DISPATCHER_EXTENSION ??= "off";
const ROOT = fileURLToPath(new URL("../..", import.meta.url));
const ALL: readonly Runtime[] = ["deno", "bun", "node"];

const { values } = parseArgs({
  options: {
    seed: { type: "string" },
    minutes: { type: "string", default: "2" },
    runtimes: { type: "string", default: ALL.join(",") },
    outage: { type: "string", default: "4" },
    logs: { type: "string" },
  },
});

const found = findRuntimes(ROOT);
const binaries = Object.fromEntries(
  Object.entries(found).flatMap(([name, at]) => typeof at === "string" ? [] : [[name, at.path]]),
);
process.env.TEST_RUNTIMES = JSON.stringify(binaries);
const wanted = values.runtimes.split(",").map((name) => name.trim()) as Runtime[];
const runtimes = wanted.filter((name) => name in binaries);
const missing = wanted.filter((name) => !(name in binaries));
for (const name of missing) console.error(`No ${name}: ${found[name] ?? "no such runtime"}`);
if (runtimes.length === 0) throw new Error("No runtime for a node");

const seed = values.seed === undefined ? Math.floor(Math.random() * 1e9) : positive("--seed", values.seed);
const interrupt = new AbortController();
for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
  process.on(signal, () => interrupt.abort(new Error(`interrupted by ${signal}`)));
}
console.log(`seed ${seed}, ${values.minutes} minutes, nodes on ${runtimes.join(", ")}`);
const running = runChaos({
  seed,
  ms: positive("--minutes", values.minutes) * 60_000,
  runtimes,
  outageMs: positive("--outage", values.outage) * 1000,
  signal: interrupt.signal,
  tell: (line) => console.log(line),
});
const report = await running.catch((error) => {
  if (!interrupt.signal.aborted) throw error;
  console.log(`${interrupt.signal.reason.message}, seed ${seed}`);
  process.exit(130);
});
console.log(`\n${summary(report)}`);
if (values.logs) {
  for (const [node, lines] of Object.entries(report.evidence.logs)) {
    writeFileSync(
      `${values.logs}/${node}.log`,
      lines.map(({ at, text }) => `${new Date(at).toISOString()} ${text}\n`).join(""),
    );
  }
}
process.exit(held(report) ? 0 : 1);

function positive(flag: string, text: string): number {
  const value = Number(text);
  if (!(value > 0)) throw new TypeError(`${flag} must be a number above 0: ${text}`);
  return value;
}
