import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import {
  type Config,
  configJsonSchema,
  defaultNodeName,
  environmentName,
  LEAVES,
  loadConfig,
} from "../runtime/config.ts";
import { DispatcherError } from "../runtime/errors.ts";
import { tempDir, test } from "./harness.ts";

/** A configuration file of this content. */
function file(content: string | object, name = "dispatcher.json"): string {
  const path = join(tempDir(), name);
  writeFileSync(path, typeof content === "string" ? content : JSON.stringify(content));
  return path;
}

type Given = Parameters<typeof loadConfig>[0];

/** What loadConfig() says of a configuration that it refuses. */
async function refusal(given: Given): Promise<string> {
  try {
    await loadConfig({ env: {}, ...given });
  } catch (error) {
    assert.ok(error instanceof DispatcherError, String(error));
    assert.equal(error.code, "config");
    assert.equal(error.exit, 78);
    return error.message;
  }
  return "passed";
}

/** The value at a dotted path. */
function at(config: Config, path: string): unknown {
  return path.split(".").reduce<unknown>((node, key) => (node as Record<string, unknown>)?.[key], config);
}

test("loadConfig() without anything gives the defaults, all with the origin default", async () => {
  const { config, origins, file } = await loadConfig({ env: {} });
  assert.equal(file, null);
  assert.equal(config.database_url, undefined);
  assert.deepEqual([config.pool.min_workers, config.pool.max_workers], [4, 60]);
  assert.deepEqual([config.lease_seconds, config.heartbeat_seconds], [30, 5]);
  assert.deepEqual(config.queues, ["default"]);
  assert.equal(config.tasks, resolve("tasks"));
  assert.deepEqual([...new Set(Object.values(origins))], ["default"]);
  assert.equal(origins["pool.max_workers"], "default");
});

test("loadConfig() lets the flag go before the environment, that before the file, that before the default", async () => {
  const path = file({ max_attempts: 2, safety_poll_seconds: 2, pool: { max_workers: 20, min_workers: 2 } });
  const env = { DISPATCHER_SAFETY_POLL_SECONDS: "3", DISPATCHER_POOL_MAX_WORKERS: "30" };
  const flags = { pool: { max_workers: 40 }, log_level: undefined };
  const { config, origins } = await loadConfig({ file: path, env, flags });
  const expected: [string, unknown, string][] = [
    ["max_attempts", 2, "file"],
    ["pool.min_workers", 2, "file"],
    ["safety_poll_seconds", 3, "environment"],
    ["pool.max_workers", 40, "flag"],
    ["log_level", "info", "default"],
  ];
  for (const [key, value, origin] of expected) {
    assert.deepEqual([key, at(config, key), origins[key]], [key, value, origin]);
  }
});

test("loadConfig() has a variable for every key of its schema", async () => {
  const given: Record<string, string> = { text: "text", number: "20", list: "a, b" };
  const odd: Record<string, string> = {
    prepared_statements: "on",
    log_level: "error",
    log_format: "json",
    extension: "off",
    http: "localhost:0",
    http_base_path: "/dispatcher",
    "backoff.jitter": "0.5",
    resources: "cpu=2,gpu=1",
    "pool.task_permissions": "net, read",
  };
  const quiet = new Set([
    "heartbeat_seconds",
    // Of objects, which no variable can say.
    "on_start",
    // Has a form of its own, see below.
    "encryption_keys",
    "http_auth",
    "pool.worker_memory_mb",
    "pool.host_memory_mb",
    "pool.min_workers",
  ]);
  for (const [path, kind] of Object.entries(LEAVES)) {
    if (quiet.has(path)) continue;
    const { config, origins } = await loadConfig({
      env: { [environmentName(path)]: odd[path] ?? given[kind] },
    });
    assert.equal(origins[path], "environment", path);
    if (kind === "list") assert.deepEqual(at(config, path), (odd[path] ?? given.list).split(", "), path);
    if (kind === "number") assert.equal(typeof at(config, path), "number", path);
  }
  assert.equal(environmentName("pool.min_workers"), "DISPATCHER_POOL_MIN_WORKERS");
  assert.equal(environmentName("database_url"), "DATABASE_URL");
});

test("loadConfig() reads credentials from a file and a variable, and does not show one that is wrong", async () => {
  const env = {
    DISPATCHER_HTTP_AUTH: "basic:operator:ann:hunter:22, bearer:viewer:ci:a-long-token, proxy:viewer:x-user",
  };
  const all = [
    { kind: "basic", role: "operator", user: "ann", password: "hunter:22" },
    { kind: "bearer", role: "viewer", name: "ci", token: "a-long-token" },
    { kind: "proxy", role: "viewer", header: "x-user", from: ["127.0.0.1", "::1"], operators: [] },
  ];
  assert.deepEqual((await loadConfig({ env })).config.http_auth, all);
  assert.deepEqual((await loadConfig({ env: {}, file: file({ http_auth: all }) })).config.http_auth, all);
  for (const wrong of ["basic:operator:ann:hunter2", "hunter2", "bearer:root:ci:hunter2hunter2"]) {
    await assert.rejects(loadConfig({ env: { DISPATCHER_HTTP_AUTH: wrong } }), (error: Error) => {
      assert.match(error.message, /^Cannot use http_auth from DISPATCHER_HTTP_AUTH: a credential's /);
      return !error.message.includes("hunter2");
    });
  }
});

test("loadConfig() reads keys from a file and a variable, and does not show one that is wrong", async () => {
  const key = btoa("k".repeat(32));
  const two = [{ id: "new", key }, { id: "old", key }];
  const env = { DISPATCHER_ENCRYPTION_KEYS: `new:${key}, old:${key}` };
  assert.deepEqual((await loadConfig({ env })).config.encryption_keys, two);
  const path = file({ encryption_keys: two });
  assert.deepEqual((await loadConfig({ env: {}, file: path })).config.encryption_keys, two);
  for (const wrong of ["new:aHVudGVyMg==", "hunter2", ":hunter2", "a b:hunter2"]) {
    await assert.rejects(loadConfig({ env: { DISPATCHER_ENCRYPTION_KEYS: wrong } }), (error: Error) => {
      assert.match(error.message, /^Cannot use encryption_keys from DISPATCHER_ENCRYPTION_KEYS: /);
      assert.doesNotMatch(error.message, /hunter2|aHVudGVyMg/);
      return true;
    });
  }
});

test("loadConfig() takes an empty variable for none", async () => {
  const { origins } = await loadConfig({ env: { DISPATCHER_QUEUES: "", DATABASE_URL: "" } });
  assert.equal(origins.queues, "default");
});

test("loadConfig() reads the file that DISPATCHER_CONFIG names, and before it the one it is given", async () => {
  const env = { DISPATCHER_CONFIG: file({ node: "from-env" }) };
  assert.equal((await loadConfig({ env })).config.node, "from-env");
  assert.equal((await loadConfig({ env, file: file({ node: "given" }) })).config.node, "given");
});

test("loadConfig() reads a module's default export", async () => {
  const path = file(`const node: string = "typed"; export default { node };`, "dispatcher.ts");
  assert.equal((await loadConfig({ env: {}, file: path })).config.node, "typed");
});

test("loadConfig() makes an address of PGHOST and its siblings", async () => {
  const url = async (env: Record<string, string>) => (await loadConfig({ env })).config.database_url;
  assert.equal(
    await url({ PGHOST: "db", PGUSER: "me", PGPASSWORD: "p@ss/w", PGPORT: "5433", PGDATABASE: "app" }),
    "postgres://me:p%40ss%2Fw@db:5433/app",
  );
  assert.equal(await url({ PGHOST: "db", PGUSER: "me" }), "postgres://me@db:5432/me");
  assert.equal(await url({ PGDATABASE: "app", USER: "me" }), "postgres://me@localhost:5432/app");
  assert.equal(await url({ PGPORT: "5433" }), "postgres://postgres@localhost:5433/postgres");
  assert.equal(
    await url({ PGHOST: "/var/run/postgresql", PGUSER: "me" }),
    "postgres://me@localhost:5432/me?host=%2Fvar%2Frun%2Fpostgresql",
  );
  assert.equal(await url({ PGUSER: "me", USER: "me" }), undefined, "a user alone names no server");
  assert.equal(await url({ PGHOST: "db", DATABASE_URL: "postgres://other/x" }), "postgres://other/x");
});

test("loadConfig() says of an unknown key what may have been meant, and where it stands", async () => {
  const path = file({ pool: { max_worker: 5 } });
  assert.equal(
    await refusal({ file: path }),
    `Unknown configuration key "pool.max_worker" (did you mean "pool.max_workers"?) in "${path}"`,
  );
  assert.equal(await refusal({ flags: { frobnicate: 1 } }), 'Unknown configuration key "frobnicate"');
  assert.match(await refusal({ flags: { quues: ["a"] } }), /"quues" \(did you mean "queues"\?\)$/);
});

test("loadConfig() takes __proto__ and its kind for unknown keys", async () => {
  for (const key of ["__proto__", "constructor", "toString"]) {
    const path = file(`{"${key}": {"polluted": 1}}`);
    assert.match(await refusal({ file: path }), new RegExp(`^Unknown configuration key "${key}"`));
    assert.equal(({} as { polluted?: number }).polluted, undefined);
  }
});

test("loadConfig() names key, value and origin of a wrong value", async () => {
  const path = file({ log_format: "xml" });
  const cases: [Given, RegExp][] = [
    [
      { env: { DISPATCHER_POOL_MAX_WORKERS: "many" } },
      /^Cannot use pool\.max_workers "many" from DISPATCHER_POOL_MAX_WORKERS: .*expected number/,
    ],
    [
      { env: { DISPATCHER_SAFETY_POLL_SECONDS: "-3" } },
      /^Cannot use safety_poll_seconds -3 from DISPATCHER_SAFETY_POLL_SECONDS: /,
    ],
    [
      { env: { DISPATCHER_QUEUES: "a,,b" } },
      /^Cannot use queues\.1 "" from DISPATCHER_QUEUES: the name is blank$/,
    ],
    [{ env: { DISPATCHER_LOG_LEVEL: "loud" } }, /^Cannot use log_level "loud" from DISPATCHER_LOG_LEVEL: /],
    [{ file: path }, /^Cannot use log_format "xml" from ".*dispatcher\.json": /],
    [{ flags: { pool: { min_workers: 0 } } }, /^Cannot use pool\.min_workers 0: /],
    [{ flags: { node: "x".repeat(64) } }, /^Cannot use node "x{64}": the name has 64 bytes/],
    [{ flags: { pool: 5 } }, /^Cannot use pool 5: .*expected object/],
    [{ flags: { retention_days: null } }, /^Cannot use retention_days null: /],
  ];
  for (const [given, expected] of cases) assert.match(await refusal(given), expected);
});

test("loadConfig() refuses times and sizes that make no sense together", async () => {
  const cases: [Record<string, string>, string][] = [
    [
      { DISPATCHER_HEARTBEAT_SECONDS: "15" },
      "Cannot use lease_seconds 30: it must be more than twice heartbeat_seconds, which is 15",
    ],
    [
      { DISPATCHER_LEASE_SECONDS: "10" },
      "Cannot use lease_seconds 10 from DISPATCHER_LEASE_SECONDS: it must be more than twice heartbeat_seconds, which is 5",
    ],
    [
      { DISPATCHER_LEADER_SECONDS: "10" },
      "Cannot use leader_seconds 10 from DISPATCHER_LEADER_SECONDS: it must be more than twice heartbeat_seconds, which is 5",
    ],
    [
      { DISPATCHER_POOL_MIN_WORKERS: "100" },
      "Cannot use pool.max_workers 60: it is below min_workers, which is 100",
    ],
  ];
  for (const [env, expected] of cases) assert.equal(await refusal({ env }), expected);
  const tight = {
    DISPATCHER_HEARTBEAT_SECONDS: "4",
    DISPATCHER_LEASE_SECONDS: "8.1",
    DISPATCHER_LEADER_SECONDS: "8.1",
  };
  assert.equal((await loadConfig({ env: tight })).config.lease_seconds, 8.1);
});

test("loadConfig() says why it cannot read a file", async () => {
  const missing = join(tempDir(), "nowhere.json");
  const cases: [string, RegExp][] = [
    [missing, /ENOENT|no such file/i],
    [file("[1]"), /it is not an object$/],
    [file("null"), /it is not an object$/],
    [file("{]"), /it is not JSON/],
    [file("node = 1", "dispatcher.toml"), /its name must end in \.json, \.yaml, \.yml, \.ts, \.js or \.mjs$/],
    [file("export default 5;", "dispatcher.mjs"), /its default export is not an object$/],
    [file("export const node = 'x';", "dispatcher.js"), /its default export is not an object$/],
    [file("throw new Error('at load');", "dispatcher.mjs"), /at load$/],
  ];
  for (const [path, expected] of cases) {
    const message = await refusal({ file: path });
    assert.ok(message.startsWith(`Cannot read configuration "${path}": `), message);
    assert.match(message, expected);
  }
});

test("loadConfig() never shows a password", async () => {
  const secret = "hunter2";
  const cases: Given[] = [
    { flags: { database_url: [`postgres://u:${secret}@h/db`] } },
    { file: file({ listen_url: { password: secret } }) },
    { file: file(`{"listen_url":${secret}}`) },
    { file: file(`{"database_url": "postgres://u:${secret}@h/db" x}`) },
    { file: file(`{"database_url": 'postgres://u:${secret}@h/db'}`) },
    { file: file(`{"a":${secret}`) },
    { file: file(`database_url: [postgres://u:${secret}@h/db`, "dispatcher.yml") },
    { file: file(`listen_url: "${secret}\nnode: x`, "dispatcher.yaml") },
    { file: file(`listen_url: @${secret}`, "dispatcher.yml") },
    { file: file(`listen_url: *${secret}`, "dispatcher.yml") },
    { file: file(`listen_url:\n  password: ${secret}`, "dispatcher.yml") },
  ];
  for (const given of cases) {
    const message = await refusal(given);
    assert.notEqual(message, "passed");
    assert.ok(!message.includes(secret), message);
  }
});

test("configJsonSchema() describes exactly the keys of a configuration, with their defaults", async () => {
  type Schema = { properties?: Record<string, Schema>; default?: unknown; additionalProperties?: boolean };
  const { config } = await loadConfig({ env: {} });
  const keys: string[] = [];
  const walk = ({ properties = {}, additionalProperties }: Schema, prefix: string) => {
    assert.equal(additionalProperties, false, `${prefix || "the whole"} takes no other keys`);
    for (const [name, member] of Object.entries(properties)) {
      const path = prefix + name;
      if (member.properties) walk(member, `${path}.`);
      // Names of one's own below it, and so no variable.
      else if (path !== "schedules") keys.push(path);
      if (!member.properties && path !== "tasks") assert.deepEqual(at(config, path), member.default, path);
    }
  };
  walk(configJsonSchema() as Schema, "");
  assert.deepEqual(keys, Object.keys(LEAVES));
  assert.ok(keys.includes("pool.worker_max_lifetime_seconds") && keys.includes("database_url"));
});

test("defaultNodeName() is a legal name of a queue", async () => {
  assert.equal(
    (await loadConfig({ env: {}, flags: { node: defaultNodeName() } })).config.node,
    defaultNodeName(),
  );
});
