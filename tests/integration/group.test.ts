/** A signal to the whole process group, as a terminal's Ctrl-C or a supervisor sends it. */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { eventually, type Runtime, runtimes, tempDir, test, thisRuntime } from "../harness.ts";
import { base, environment } from "./site.ts";

const MAIN = fileURLToPath(new URL("../../cli/main.ts", import.meta.url));
const TASKS = fileURLToPath(new URL("../fixtures/tasks", import.meta.url));
const FLAGS: Record<Runtime, string[]> = { deno: ["run", "-A", "-q"], bun: [], node: ["--no-warnings"] };

for (const signal of ["SIGTERM", "SIGINT"] as const) {
  test(`${signal} to the whole group lets what runs finish, and is no failure of it`, async (t) => {
    const made = await base(t);
    const args = ["dispatcher", "--no-http", "--node", "group", "--workers", "1", "--tasks", TASKS];
    const env = environment(made.url, process.env) as Record<string, string>;
    env.DATABASE_URL = made.url;
    const node = spawn(runtimes()[thisRuntime()], [...FLAGS[thisRuntime()], MAIN, ...args], {
      env,
      detached: true,
      stdio: ["ignore", "pipe", "pipe"],
    });
    t.after(() =>
      void (node.exitCode === null && node.signalCode === null && process.kill(-node.pid!, "SIGKILL"))
    );
    let log = "";
    node.stderr.setEncoding("utf8").on("data", (text: string) => log += text);
    const exited = new Promise<[number | null, string | null]>((resolve) =>
      node.on("exit", (code, ended) => resolve([code, ended]))
    );
    const gate = join(tempDir(), "gate");
    const { uuid } = await made.client.publish("waits#gate", [gate]);
    await made.until(uuid, "running");
    process.kill(-node.pid!, signal);
    await eventually(() => log.includes("Draining: 1 attempts run") || assert.fail(log));
    writeFileSync(gate, "");
    const [code, ended] = await exited;
    // Deno reports the signal of a child that caught it; what counts is how the task ended.
    assert.ok(code === 0 || ended === signal, log);
    const row = await made.row(uuid);
    assert.deepEqual([row.state, row.attempt, row.attempts.length], ["completed", 1, 1], log);
    assert.ok(!log.includes("ERROR"), log);
  });
}
