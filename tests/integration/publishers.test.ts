/** From wherever an envelope may come: the client, task objects, a script, SQL, a transaction of the caller's. */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { type Runtime, runtimes, tempDir, test, thisRuntime } from "../harness.ts";
import { base, environment, nodeFor, sharedSite } from "./site.ts";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));
const site = sharedSite(["--node", "pub-1", "--workers", "2"]);

/** Run a script of this runtime to its end, with the database as its only setting. */
async function script(
  url: string,
  source: string,
): Promise<{ code: number | null; stdout: string; stderr: string }> {
  const file = join(tempDir(), "script.ts");
  const here = pathToFileURL(ROOT).href;
  writeFileSync(file, source.replaceAll("ROOT/", here));
  const flags: Record<Runtime, string[]> = {
    deno: ["run", "-A", "--no-prompt", "-q", `--config=${join(ROOT, "deno.json")}`],
    bun: [],
    node: ["--no-warnings"],
  };
  const runtime = thisRuntime();
  const env = environment(url, { ...process.env, DATABASE_URL: url }) as Record<string, string>;
  const child = spawn(runtimes()[runtime], [...flags[runtime], file], {
    cwd: ROOT,
    env,
    stdio: ["ignore", "pipe", "pipe"],
  });
  let stdout = "";
  let stderr = "";
  child.stdout.setEncoding("utf8").on("data", (text: string) => stdout += text);
  child.stderr.setEncoding("utf8").on("data", (text: string) => stderr += text);
  const code = await new Promise<number | null>((resolve) => child.on("close", resolve));
  return { code, stdout, stderr };
}

test("publish() and the methods of task objects publish from a script, which then ends by itself", async () => {
  const { url } = await site();
  const { code, stdout, stderr } = await script(
    url,
    `
    import { publish, broadcast } from "ROOT/mod.ts";
    import add from "ROOT/tasks/examples/add.ts";
    import Adder from "ROOT/tasks/examples/Adder.ts";
    import checked from "ROOT/tests/fixtures/tasks/checked.ts";
    const results = [
      add(1, 1),
      await (await publish("examples/add", [1, 2])).result(),
      await (await add.delay(1, 3)).result(),
      await (await add.applyAsync([1, 4])).result(),
      await (await add.applyAsync({ args: [1, 5], queue: "pub-1", priority: -1 })).result(),
      await (await Adder.applyAsync([1, 6])).result(),
      await (await broadcast("examples/add", [1, 7])).result(),
    ];
    console.log(JSON.stringify(results));
    await checked.applyAsync(["a", 0]).catch((error) => console.log(error.code, error.message));
  `,
  );
  assert.equal(code, 0, stderr);
  const [results, refused] = stdout.trim().split("\n");
  assert.deepEqual(JSON.parse(results), [2, 3, 4, 5, 6, 7, { "pub-1": 8 }]);
  assert.match(
    refused,
    /^invalid_args Cannot publish "checked": Arguments of "checked" do not fit its schema: args\[1\] 0: /,
  );
});

test("applyAsync() publishes where the task's queue says, by name or by its arguments", async () => {
  const { url } = await site();
  const root = join(tempDir(), "tasks");
  const { code, stdout, stderr } = await script(
    url,
    `
    import { mkdirSync, writeFileSync } from "node:fs";
    mkdirSync(${JSON.stringify(root)});
    writeFileSync(${JSON.stringify(join(root, "routed.ts"))}, \`
      import { task } from "ROOT/mod.ts";
      export default task({ queue: "by-name", priority: 7, timeout: 9, maxAttempts: 2 }, (a: number) => a);
      export const dynamic = task({ queue: (a: number) => "q" + a }, (a: number) => a);
    \`);
    const { default: fixed, dynamic } = await import(${
      JSON.stringify(pathToFileURL(join(root, "routed.ts")).href)
    });
    const sent = [await fixed.delay(1), await dynamic.delay(5), await fixed.applyAsync({ args: [1], queue: "other" })];
    console.log(JSON.stringify(sent.map(({ uuid, queue }) => [uuid, queue])));
  `,
  );
  assert.equal(code, 0, stderr);
  const sent: [string, string][] = JSON.parse(stdout);
  assert.deepEqual(sent.map(([, queue]) => queue), ["by-name", "q5", "other"]);
  const { row } = await site();
  const found = await row(sent[0][0]);
  assert.deepEqual([found.task, found.priority, found.timeout, found.max_attempts], ["routed", 7, 9, 2]);
  assert.equal((await row(sent[1][0])).task, "routed#dynamic");
});

test("dispatcher.publish() in SQL sends with the transaction, and nothing when it is rolled back", async () => {
  const { sql, client, until } = await site();
  const [{ uuid }] = await sql`select dispatcher.publish('examples/add', '[20, 22]')::text uuid`;
  assert.equal((await until(uuid, "completed")).result, 42);
  let inside = "";
  await assert.rejects(sql.begin(async (tx) => {
    [{ uuid: inside }] = await tx`select dispatcher.publish('examples/add', '[1, 1]')::text uuid`;
    throw new Error("rolled back");
  }));
  await assert.rejects(client.find(inside), { code: "not_found" });
  const [{ uuid: all }] = await sql`select dispatcher.broadcast('examples/add', '[2, 2]')::text uuid`;
  assert.deepEqual((await client.waitAll(all, 20)).result, { "pub-1": 4 });
});

test("publishIn() publishes inside the caller's transaction", async () => {
  const { sql, client, until } = await site();
  let wake = () => {};
  let uuid = "";
  await sql.begin(async (tx) => {
    ({ uuid, wake } = await client.publishIn(tx, "examples/add", [3, 4]));
  });
  wake();
  assert.equal((await until(uuid, "completed")).result, 7);
  await assert.rejects(sql.begin(async (tx) => {
    ({ uuid } = await client.publishIn(tx, "examples/add", [3, 4]));
    throw new Error("rolled back");
  }));
  await assert.rejects(client.find(uuid), { code: "not_found" });
});

test("a known uuid changes nothing, while it waits and after it is final", async () => {
  const { client, until, row } = await site();
  const uuid = crypto.randomUUID();
  const first = await client.publish("examples/add", [1, 1], { uuid, delay: 0.2 });
  const second = await client.publish("examples/add", [9, 9], { uuid });
  assert.deepEqual([first.known, second.known], [false, true]);
  assert.equal((await until(uuid, "completed")).result, 2);
  const third = await client.publish("examples/add", [9, 9], { uuid });
  assert.equal(third.known, true);
  assert.equal(await third.result(), 2);
  assert.deepEqual((await row(uuid)).args, [1, 1]);
});

test("a delay of 0 and a time that is past run at once, without waiting for a poll", async (t) => {
  const made = await base(t);
  const config = join(tempDir(), "config.json");
  // No poll comes to the rescue, and the stager has nothing to do with it.
  writeFileSync(config, JSON.stringify({ safety_poll_seconds: 3_600 }));
  await nodeFor(t, made.url, ["--workers", "1", "--node", "one", "--config", config]);
  const now = await made.client.publish("examples/add", [1, 1], { delay: 0 });
  assert.equal(await now.result({ within: 20 }), 2);
  const past = await made.client.publish("examples/add", [1, 2], { at: new Date(0) });
  assert.equal(await past.result({ within: 20 }), 3);
});

test("smaller priorities run earlier, equal ones in their order", async (t) => {
  const made = await base(t);
  const calls = [5, 0, -5, 0].map((priority, i) => ({ task: "examples/echo", args: [i], priority }));
  const sent = await made.client.publishMany(calls);
  await nodeFor(t, made.url, ["--workers", "1", "--node", "one"]);
  const rows = await Promise.all(sent.map(({ uuid }) => made.until(uuid, "completed")));
  const order = rows.toSorted((a, b) => a.attempts[0].started_at! < b.attempts[0].started_at! ? -1 : 1);
  const started = rows.map((row) => row.attempts[0].started_at);
  // Within a millisecond the order cannot be seen; what can be seen must be right.
  const ranks = order.map((row) => row.priority);
  assert.ok(new Set(started).size < 4 || JSON.stringify(ranks) === "[-5,0,0,5]", JSON.stringify(ranks));
});

test("the node of these tests stops in order", async () => {
  const { exit } = await site.end();
  assert.deepEqual(exit, { code: 0, signal: null });
});
