// @runtimes deno
/** One short chaos run; it starts nodes of all runtimes by itself. */
import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { needs, runtimes, test } from "../harness.ts";
import { isAlive } from "../../runtime/platform/process_identity.ts";
import { runChaos } from "./chaos.ts";
import { held, summary } from "./report.ts";

/** Each has every kind of fault within these seconds. */
const SEEDS = [8, 31, 41, 57];
const SECONDS = 14;

const seed = SEEDS[Math.floor(Date.now() / 1_000) % SEEDS.length];

test(`chaos, seed ${seed}: every law holds after ${SECONDS} s of faults`, {
  skip: needs("bun") && needs("node") || (process.platform !== "linux" && "stops processes by /proc"),
  timeout: 180_000,
}, async (t) => {
  const told: string[] = [];
  const pids: number[] = [];
  const report = await runChaos({
    seed,
    ms: SECONDS * 1_000,
    runtimes: (["deno", "bun", "node"] as const).filter((name) => runtimes()[name]),
    signal: t.signal,
    tell: (line) => told.push(line),
    started: (pid) => pids.push(pid),
  });
  assert.ok(held(report), [...told, summary(report)].join("\n"));
  assert.ok(report.evidence.published.length > 100 && report.evidence.runs.length > 20, summary(report));
  assert.ok(pids.length >= 4 && existsSync("/proc"));
  assert.deepEqual(pids.filter(isAlive), [], "a process was left behind");
});
