import assert from "node:assert/strict";
import { hostname } from "node:os";
import { join } from "node:path";
import { writeFileSync } from "node:fs";
import { tempDir, test, thisRuntime } from "../harness.ts";
import { atOnce, base, cli, ended, ndjson, nodeFor, NOWHERE, sharedSite, UUID } from "./site.ts";

const site = sharedSite(["--node", "n1", "--workers", "2"]);

/** Every command that needs a database, with words that it takes. */
const NEED_DATABASE = [
  ["publish", "examples/add", "1", "2"],
  ["publish", "-"],
  ["status"],
  ["running"],
  ["list"],
  ["show", "0123"],
  ["result", "0123"],
  ["cancel", "0123"],
  ["queue", "list"],
  ["node", "list"],
  ["node", "ping"],
  ["control", "alive"],
  ["migrate", "up"],
  ["migrate", "status"],
  ["dispatcher", "--once"],
];
const NEED_NODE = [["status"], ["running"], ["node", "ping"], ["alive"]];

test("dispatcher prints one ready line on stdout with name, pid, workers, queues and database", async (t) => {
  const { url } = await base(t);
  const node = await nodeFor(t, url, []);
  const { host } = new URL(url);
  const name = hostname();
  const queues = `default,${name},broadcast`;
  const line =
    `ready node=${name} pid=${node.pid} workers=4 min=4 max=60 queues=${queues} http=off database=${host}`;
  assert.equal(node.stdout(), `${line}\n`);
});

test("dispatcher under a name that lives is refused with 4 and names the holder", async () => {
  const { cli, node } = await site();
  const { code, stdout, stderr } = await cli("dispatcher", "--no-http", "--node", "n1", "--workers", "1");
  assert.deepEqual({ code, stdout }, { code: 4, stdout: "" });
  const holder = `the name is held by pid ${node.pid} on ${hostname()} \\(${thisRuntime()}\\)`;
  assert.match(
    stderr,
    new RegExp(`^Cannot start node "n1": ${holder}, last seen \\S+Z, lease until \\S+Z\n$`),
  );
  assert.equal((await cli("node", "ping")).code, 0, "the holder goes on");
});

test("dispatcher writes the ready line as JSON with --log-format json, and logs as JSON on stderr", async (t) => {
  const { url, cli } = await base(t);
  const args = [
    "dispatcher",
    "--once",
    "--no-http",
    "--node",
    "n1",
    "--workers",
    "1",
    "--log-format",
    "json",
  ];
  const { code, stdout, stderr } = await cli(...args);
  assert.equal(code, 0);
  const [{ pid, ...ready }, ...more] = ndjson(stdout);
  assert.ok(Number.isInteger(pid));
  assert.deepEqual(more, []);
  const queues = "default,n1,broadcast";
  const { host: database } = new URL(url);
  const facts = { node: "n1", workers: 1, min: 1, max: 1, queues, http: "off", database };
  assert.deepEqual(ready, { event: "ready", ...facts });
  const log = ndjson(stderr);
  assert.ok(log.some(({ event }) => event === "node.stopped"));
  for (const { time, level, message } of log) {
    assert.equal(new Date(time).toISOString(), time);
    assert.match(`${level} ${message}`, /^(info|warning) ./);
  }
});

test("every command without a database ends with 69, one line on stderr and no password in it", async () => {
  await atOnce(NEED_DATABASE, async (args) => {
    const { code, stdout, stderr } = await cli(NOWHERE, args, { stdin: '{"task": "examples/add"}\n' });
    assert.deepEqual({ code, stdout }, { code: 69, stdout: "" }, args.join(" "));
    assert.match(
      stderr,
      /^Cannot connect to PostgreSQL at 127\.0\.0\.1:1\/none as nobody: .+\n$/,
      args.join(" "),
    );
    assert.ok(!stderr.includes("hunter2"));
  });
});

test("commands that ask nodes end with 69 when there is none", async (t) => {
  const { cli } = await base(t);
  await atOnce(NEED_NODE, async (args) => {
    assert.deepEqual(ended(await cli(...args)), { code: 69, stdout: "", stderr: "No node is alive\n" });
  });
  const control = await cli("control", "alive", "--timeout", "0.2");
  assert.deepEqual(ended(control), { code: 69, stdout: "", stderr: "No node answered\n" });
});

test("commands that ask one node end with 3 when there never was one of that name, and suggest another", async () => {
  const { cli } = await site();
  await atOnce(NEED_NODE, async (args) => {
    const stderr = 'No node "n2" (did you mean "n1"?)\n';
    assert.deepEqual(ended(await cli(...args, "--node", "n2")), { code: 3, stdout: "", stderr });
  });
});

test("an unknown flag ends with 2 and names what may have been meant", async () => {
  const { cli } = await site();
  assert.deepEqual(ended(await cli("list", "--stat", "completed")), {
    code: 2,
    stdout: "",
    stderr: 'Unknown flag "--stat" (did you mean "--state"?)\n',
  });
});

test("an address that is none ends with 78 and does not print it", async () => {
  await atOnce(
    ["mysql://me:hunter2@host/db", "hunter2", "postgres://me:hunter2@host:port/db"],
    async (url) => {
      const { code, stdout, stderr } = await cli(url, ["list"]);
      assert.deepEqual({ code, stdout }, { code: 78, stdout: "" }, url);
      assert.match(
        stderr,
        /^Cannot connect to PostgreSQL at the given address: the address must look like postgres:.*\n$/,
      );
      assert.ok(!stderr.includes("hunter2"));
    },
  );
});

test("a bad configuration ends with 78, from a variable and from a file", async () => {
  const { cliWith, cli } = await site();
  const variable = await cliWith(["list"], { env: { DISPATCHER_POOL_MIN_WORKERS: "many" } });
  assert.equal(variable.code, 78);
  assert.match(
    variable.stderr,
    /^Cannot use pool\.min_workers "many" from DISPATCHER_POOL_MIN_WORKERS: .+\n$/,
  );
  const file = join(tempDir(), "dispatcher.json");
  writeFileSync(file, JSON.stringify({ quques: ["a"] }));
  const { code, stdout, stderr } = await cli("list", "--config", file);
  assert.deepEqual({ code, stdout }, { code: 78, stdout: "" });
  assert.equal(stderr, `Unknown configuration key "quques" (did you mean "queues"?) in "${file}"\n`);
});

test("--database-url goes before DATABASE_URL, and both before the PG variables", async () => {
  const { url } = await site();
  const byFlag = await cli(NOWHERE, ["node", "list", "--database-url", url]);
  assert.equal(byFlag.code, 0, byFlag.stderr);
  const byVariable = await cli(url, ["node", "list"], { env: { PGHOST: "127.0.0.1", PGPORT: "1" } });
  assert.equal(byVariable.code, 0, byVariable.stderr);
  const { hostname, port, username, pathname } = new URL(url);
  const env = { PGHOST: hostname, PGPORT: port, PGUSER: username, PGDATABASE: pathname.slice(1) };
  const password = new URL(url).password;
  const byParts = await cli(undefined, ["node", "list"], {
    env: password ? { ...env, PGPASSWORD: password } : env,
  });
  assert.match(byParts.stdout, /^n1\t/);
});

test("a result larger than a pipe's buffer arrives whole", async () => {
  const { cli } = await site();
  const { code, stdout, stderr } = await cli(
    "publish",
    "examples/echo",
    JSON.stringify("x".repeat(100_000)),
    "--wait",
  );
  assert.deepEqual({ code, stderr }, { code: 0, stderr: "" });
  assert.match(stdout, new RegExp(`^${UUID}\n\\["x{100000}"\\]\n$`));
});

test("the node of this file drains and exits 0", async () => {
  const { exit, output } = await site.end();
  assert.deepEqual(exit, { code: 0, signal: null });
  assert.match(output, /Node "n1" stopped$/m);
});
