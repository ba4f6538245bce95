import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { eventually, type Runtime, runtimes, test, type TestContext, thisRuntime } from "../harness.ts";
import { TcpProxy } from "../harness/tcp_proxy.ts";
import { base, environment } from "./site.ts";

const MAIN = fileURLToPath(new URL("../../cli/main.ts", import.meta.url));
const FLAGS: Record<Runtime, string[]> = { deno: ["run", "-A", "-q"], bun: [], node: ["--no-warnings"] };
/** As many as one batch has. */
const BATCH = 1_000;

interface Running {
  proc: ChildProcess;
  /** Lines of stdout so far. */
  lines(): string[];
  stderr(): string;
  exited: Promise<number | null>;
}

/** `publish -` with its stdin open. */
function publishLines(t: TestContext, url: string): Running {
  const env: Record<string, string | undefined> = { ...process.env, NO_COLOR: "1", ...environment(url) };
  for (const [name, value] of Object.entries(env)) if (value === undefined) delete env[name];
  const args = [...FLAGS[thisRuntime()], MAIN, "publish", "-"];
  const proc = spawn(runtimes()[thisRuntime()], args, { env, stdio: "pipe" });
  t.after(() => proc.kill("SIGKILL"));
  let stdout = "";
  let stderr = "";
  proc.stdout.setEncoding("utf8").on("data", (text: string) => stdout += text);
  proc.stderr.setEncoding("utf8").on("data", (text: string) => stderr += text);
  return {
    proc,
    lines: () => stdout.split("\n").slice(0, -1),
    stderr: () => stderr,
    exited: once(proc, "close").then(([code]) => code),
  };
}

function calls(from: number, count: number, odd = ""): string {
  const lines = Array.from({ length: count }, (_, i) => JSON.stringify({ task: "t", args: [from + i] }));
  return [...lines, odd].filter((line) => line !== "").join("\n") + "\n";
}

test("publish - rides out an outage of the database: every line is published once", async (t) => {
  const { url, client } = await base(t);
  const way = await TcpProxy.before(t, url);
  const { proc, lines, stderr, exited } = publishLines(t, way.url);
  proc.stdin!.write(calls(0, BATCH));
  await eventually(() => lines().length === BATCH, { within: 30_000 });
  await way.refuse();
  proc.stdin!.end(calls(BATCH, BATCH));
  await eventually(() => stderr().includes("Database does not answer, trying again: "), { within: 30_000 });
  await way.heal();
  assert.equal(await exited, 0, stderr());
  assert.equal(new Set(lines()).size, 2 * BATCH);
  const rows = await client.list({ limit: 10_000 });
  const args = rows.map((row) => (row.args as number[])[0]).sort((a, b) => a - b);
  assert.deepEqual(args, Array.from({ length: 2 * BATCH }, (_, i) => i));
  assert.deepEqual(new Set(rows.map((row) => row.uuid)), new Set(lines()));
});

test("publish - takes an outage for no fault of a line, also when another line is wrong", async (t) => {
  const { url, client } = await base(t);
  const way = await TcpProxy.before(t, url);
  const { proc, lines, stderr, exited } = publishLines(t, way.url);
  proc.stdin!.write(calls(0, BATCH));
  await eventually(() => lines().length === BATCH, { within: 30_000 });
  await way.refuse();
  proc.stdin!.end(calls(BATCH, 5, '{"task": ""}'));
  await eventually(() => stderr().includes("Database does not answer, trying again: "), { within: 30_000 });
  await way.heal();
  assert.equal(await exited, 1);
  const named = stderr().split("\n").filter((line) => line.startsWith("Line "));
  assert.deepEqual(named, [`Line ${BATCH + 6}: Cannot publish a task named "": the name is blank`]);
  assert.equal((await client.list({ limit: 10_000 })).length, BATCH + 5);
});
