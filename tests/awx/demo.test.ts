// @runtimes deno
/** The demonstration, as anybody would run it: a node is killed under a playbook, and the workflow goes through. */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { fileURLToPath } from "node:url";
import { guardChild } from "../harness/child_guard.ts";
import { database, needs, runtimes, test } from "../harness.ts";

const MAIN = fileURLToPath(new URL("demo/main.ts", import.meta.url));

test("deno task demo recovers from a killed node, and says so", {
  skip: needs("ansible-playbook") || needs("git"),
  timeout: 240_000,
}, async (t) => {
  const db = await database();
  t.after(() => db.drop());
  const args = ["run", "-A", "--no-prompt", MAIN, "--once", "--seconds", "5", "--database-url", db.url];
  const proc = spawn(runtimes().deno, args, { stdio: ["ignore", "pipe", "pipe"] });
  guardChild(proc);
  let text = "";
  for (const output of [proc.stdout, proc.stderr]) {
    output.setEncoding("utf8").on("data", (piece) => text += piece);
  }
  const code = await new Promise((resolve) => proc.once("close", resolve));
  assert.equal(code, 0, text);
  const story = [
    /launched workflow "release"/,
    /project_update \d+ "shop" is successful/,
    /inventory_update \d+ .* is successful/,
    /KILLING node demo-\d under job/,
    /was reaped: .*demo-\d/,
    /has capacity 0/,
    /the failure edge started "deploy the shop" again/,
    /web1 runs 1\.2/,
    /the webhook was told/,
    /the release went through/,
  ];
  let at = 0;
  for (const line of story) {
    const found = line.exec(text.slice(at));
    assert.ok(found, `${line} does not follow in:\n${text}`);
    at += found.index;
  }
});
