/** The address of HTTP: where it is served, when it is refused, and what probes say. */
import assert from "node:assert/strict";
import { createServer } from "node:net";
import { cluster } from "../integration/cluster.ts";
import { eventually, test, type TestContext } from "../harness.ts";
import { spawnCli } from "../processes.ts";

/** Take a port, or find it taken by somebody else. */
async function hold(t: TestContext, port: number): Promise<number> {
  const server = createServer();
  const held = await new Promise<number>((resolve) => {
    server.once("error", () => resolve(port));
    server.listen(port, "127.0.0.1", () => resolve((server.address() as { port: number }).port));
  });
  t.after(() => new Promise((resolve) => server.close(resolve)));
  return held;
}

test("a node serves its probes: alive at once, ready while it claims, not when it drains", async (t) => {
  const { node } = await cluster(t);
  const { http, kill, exited } = await node({ name: "probed", workers: 1, http: true });
  assert.deepEqual(await (await fetch(`${http}/livez`)).json(), { status: "ok" });
  const ready = await fetch(`${http}/readyz`);
  assert.deepEqual([ready.status, await ready.json()], [200, {
    status: "ready",
    node: "probed",
    database: true,
    listen: true,
    slot: true,
    draining: false,
  }]);
  kill("SIGTERM");
  assert.equal((await exited).code, 0);
  await assert.rejects(fetch(`${http}/livez`));
});

test("readyz says 503 while what runs is waited for", async (t) => {
  const { node, client, until } = await cluster(t);
  const { http, kill } = await node({ name: "draining", workers: 1, http: true });
  const { uuid } = await client.publish("examples/sleep", [600]);
  await until(uuid, (row) => row.state === "running");
  kill("SIGTERM");
  const answer = await eventually(async () => {
    const answer = await fetch(`${http}/readyz`);
    return answer.status === 503 ? answer : undefined;
  });
  const { status, draining } = await answer!.json() as Record<string, unknown>;
  assert.deepEqual([status, draining], ["unready", true]);
  assert.equal((await fetch(`${http}/livez`)).status, 200);
});

test("an address that is taken ends the node with 78", async (t) => {
  const { url } = await cluster(t);
  const port = await hold(t, 0);
  const refused = await spawnCli([
    "dispatcher",
    "--http",
    `127.0.0.1:${port}`,
    "--once",
    "--database-url",
    url,
  ]);
  assert.equal(refused.code, 78, refused.stderr);
  assert.match(refused.stderr, new RegExp(`Cannot serve HTTP on "127.0.0.1:${port}": `));
});

test("the default address gives way to a free port", async (t) => {
  const { url } = await cluster(t);
  await hold(t, 8070);
  const { code, stdout, stderr } = await spawnCli(
    ["dispatcher", "--once", "--workers", "1", "--node", "third", "--database-url", url],
    { env: { DISPATCHER_HTTP: undefined } },
  );
  assert.equal(code, 0, stderr);
  const [, port] = /http=127\.0\.0\.1:(\d+)/.exec(stdout) ?? [];
  assert.ok(port && port !== "8070", stdout);
  assert.match(stderr, /HTTP address 127\.0\.0\.1:8070 is taken: port \d+ is used/);
});

const REFUSED: [args: string[], says: RegExp][] = [
  [
    ["--http", "0.0.0.0:0"],
    /Cannot use http "0\.0\.0\.0:0".*: others reach this address, and http_auth has no cred/,
  ],
  [["--http", "nowhere"], /Cannot use http "nowhere".*: it must be HOST:PORT, or off/],
  [["--http", "127.0.0.1:70000"], /it must be HOST:PORT, or off/],
  [["--base-path", "x"], /Cannot use http_base_path "x".*: it must look like \/ or \/dispatcher/],
];

for (const [args, says] of REFUSED) {
  test(`dispatcher ${args.join(" ")} is refused with 78`, async () => {
    const { code, stderr } = await spawnCli([
      "dispatcher",
      ...args,
      "--once",
      "--database-url",
      "postgres://x@127.0.0.1:1/x",
    ]);
    assert.equal(code, 78, stderr);
    assert.match(stderr, says);
  });
}

test("--http and --no-http together are a usage error", async () => {
  const { code, stderr } = await spawnCli(["dispatcher", "--http", "127.0.0.1:0", "--no-http"]);
  assert.equal(code, 2);
  assert.match(stderr, /Cannot use --http together with --no-http/);
});

test("a public address with credentials is served", async (t) => {
  const { url } = await cluster(t);
  const { code, stdout, stderr } = await spawnCli(
    [
      "dispatcher",
      "--once",
      "--workers",
      "1",
      "--node",
      "public",
      "--http",
      "0.0.0.0:0",
      "--database-url",
      url,
    ],
    { env: { DISPATCHER_HTTP_AUTH: "bearer:viewer:probe:a-long-secret" } },
  );
  assert.equal(code, 0, stderr);
  assert.match(stdout, /http=0\.0\.0\.0:\d+/);
});
