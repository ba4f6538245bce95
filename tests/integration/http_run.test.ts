/** Tasks over HTTP, as edge functions: a real node, real connections. */
import assert from "node:assert/strict";
import { connect } from "node:net";
import { join } from "node:path";
import { httpClient, type HttpProblem } from "../../runtime/http/client.ts";
import { problemSchema } from "../../runtime/http/api/schemas.ts";
import { eventually, tempDir, test } from "../harness.ts";
import { cluster, FIXTURES } from "./cluster.ts";

const json = { "Content-Type": "application/json" };

test("POST /api/tasks runs a task and answers with its result", async (t) => {
  const { node, client } = await cluster(t);
  const { http } = await node({ name: "one", workers: 2, http: true });
  const post = (path: string, body?: unknown, headers: Record<string, string> = {}) =>
    fetch(`${http}/api/tasks/${path}`, {
      method: "POST",
      body: body === undefined ? undefined : JSON.stringify(body),
      headers: body === undefined ? headers : { ...json, ...headers },
    });
  const sum = await post("examples/add", [1, 2]);
  assert.deepEqual([sum.status, await sum.json()], [200, 3]);
  const uuid = sum.headers.get("dispatcher-uuid")!;
  assert.equal((await client.find(uuid))[0].state, "completed");
  assert.deepEqual(await (await fetch(`${http}/api/envelopes/${uuid}/result`)).json(), 3);
  const named = await post("examples/echo?wait=10s", { args: [{ a: [null, "ü"] }], priority: 1 });
  assert.deepEqual(await named.json(), [{ a: [null, "ü"] }]);
  const twice = [await post("examples/add", [5, 5], { "Idempotency-Key": "once" })];
  twice.push(await post("examples/add", [5, 5], { "Idempotency-Key": "once" }));
  assert.deepEqual(await Promise.all(twice.map((answer) => answer.json())), [10, 10]);
  assert.equal(twice[0].headers.get("dispatcher-uuid"), twice[1].headers.get("dispatcher-uuid"));
  assert.equal((await client.list({ task: "examples/add" })).length, 2);

  const failed = await post("examples/fail", ["out of paper"]);
  const problem = problemSchema.parse(await failed.json());
  assert.deepEqual([failed.status, problem.code, problem.state], [500, "task_failed", "discarded"]);
  assert.match((problem.error as { message: string }).message, /out of paper/);
  assert.equal(failed.headers.get("content-type"), "application/problem+json");
  const none = problemSchema.parse(await (await post("examples/none")).json());
  assert.match(none.detail, /examples\/none/);

  const api = httpClient({ url: http });
  assert.equal(await api.run("examples/add", [20, 22]), 42);
  await assert.rejects(
    api.run("examples/fail", ["again"]),
    (error: HttpProblem) => error.code === "task_failed",
  );
  const everywhere = await api.run<Record<string, number>>("examples/add", [1, 1], { queue: "broadcast" });
  assert.deepEqual(everywhere, { one: 2 });
});

test("what takes longer is answered with 202 and where its result will be", async (t) => {
  const { node, until } = await cluster(t);
  const { http, kill, exited } = await node({ name: "one", workers: 2, http: true, tasks: FIXTURES });
  const never = JSON.stringify([join(tempDir(), "never")]);
  const late = await fetch(`${http}/api/tasks/waits%23gate?wait=100ms`, {
    method: "POST",
    body: never,
    headers: json,
  });
  assert.equal(late.status, 202);
  const { uuid } = await late.json();
  const path = late.headers.get("location")!;
  assert.equal(path, `/api/envelopes/${uuid}/result`);
  await until(uuid, (row) => row.state === "running");
  const waiting = fetch(`${http}${path}?wait=60s`);
  const cancelled = await fetch(`${http}/api/envelopes/${uuid}/cancel`, { method: "POST" });
  assert.deepEqual((await cancelled.json()).did, { requested: 1 });
  const answer = await waiting;
  assert.deepEqual([answer.status, (await answer.json()).code], [409, "cancelled"]);

  // Who waits does not hold up the end of the node.
  const held = await (await fetch(`${http}/api/publish`, {
    method: "POST",
    body: JSON.stringify({ task: "waits", queue: "nobody" }),
    headers: json,
  })).json();
  const left = fetch(`${http}/api/envelopes/${held.uuid}/result?wait=60s`);
  await eventually(async () => (await fetch(`${http}/api/queues`)).ok);
  kill("SIGTERM");
  await left.catch(() => {});
  assert.equal((await exited).code, 0);
});

/** The status of a raw request: `fetch` does not let one choose the host. */
function statusOf(address: string, text: string): Promise<number> {
  const { hostname, port } = new URL(address);
  return new Promise((resolve, reject) => {
    const socket = connect(Number(port), hostname, () => socket.write(text.replaceAll("\n", "\r\n")));
    let answer = "";
    socket.on("data", (data) => {
      answer += data;
      if (!answer.includes("\r\n")) return;
      socket.destroy();
      resolve(Number(answer.split(" ")[1]));
    });
    socket.on("error", reject);
  });
}

test("a real connection tells its address and its host, and a node takes commands", async (t) => {
  const { node, cli } = await cluster(t);
  const { http, stderr } = await node({ name: "one", workers: 1, http: true });
  assert.equal(await statusOf(http, "GET /api/nodes HTTP/1.1\nHost: localhost\n\n"), 200);
  assert.equal(await statusOf(http, "GET /api/nodes HTTP/1.1\nHost: evil.example\n\n"), 421);
  const body = '{"level":"debug"}';
  const head = `Host: localhost\nContent-Type: application/json\nContent-Length: ${body.length}`;
  const post = "POST /api/nodes/one/log-level HTTP/1.1";
  assert.equal(await statusOf(http, `${post}\n${head}\nSec-Fetch-Site: cross-site\n\n${body}`), 403);
  assert.equal(await statusOf(http, `${post}\n${head}\n\n${body}`), 200);
  // As curl sends it: without a body, and without its length; or piece by piece.
  assert.equal(await statusOf(http, "POST /api/queues/q/pause HTTP/1.1\nHost: localhost\n\n"), 200);
  const pieces = `${body.length.toString(16)}\n${body}\n0\n\n`;
  const chunked = "Host: localhost\nContent-Type: application/json\nTransfer-Encoding: chunked";
  assert.equal(await statusOf(http, `${post}\n${chunked}\n\n${pieces}`), 200);
  const { records } = await httpClient({ url: http }).audit({ action: "log_level" });
  const [{ who, address, action, target, ok }] = records;
  assert.deepEqual([who, address.replace("::ffff:", ""), action, target, ok], [
    "local",
    "127.0.0.1",
    "log_level",
    "one",
    true,
  ]);
  assert.ok(stderr().includes('local "local" did log_level one'), stderr());
  assert.equal((await cli("status", "--node", "one")).code, 0);
});
