// @runtimes node
import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import postgres from "postgres";
import { database, tempDir, test, type TestContext } from "../harness.ts";
import { cli, ended, ndjson, NOWHERE } from "./site.ts";

const ISO = String.raw`\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z`;

async function emptyDatabase(t: TestContext): Promise<string> {
  const db = await database();
  t.after(() => db.drop());
  return db.url;
}

/** A file with this content, for as long as the process lives. */
function configFile(content: unknown): string {
  const file = join(tempDir(), "dispatcher.json");
  writeFileSync(file, JSON.stringify(content));
  return file;
}

test("migrate status, up and status again go from missing to applied, and up twice changes nothing", async (t) => {
  const url = await emptyDatabase(t);
  const before = await cli(url, ["migrate", "status"]);
  assert.deepEqual({ code: before.code, stderr: before.stderr }, { code: 0, stderr: "" });
  assert.match(before.stdout, /^(\d{4}_\w+\tmissing\n)+$/);
  const names = before.stdout.trimEnd().split("\n").map((line) => line.split("\t")[0]);
  const up = await cli(url, ["migrate", "up"]);
  assert.deepEqual(ended(up), { code: 0, stdout: names.map((name) => `${name}\n`).join(""), stderr: "" });
  const again = await cli(url, ["migrate"]);
  assert.deepEqual(ended(again), { code: 0, stdout: "", stderr: "The schema is up to date\n" });
  const after = await cli(url, ["migrate", "status"]);
  assert.match(after.stdout, new RegExp(`^(\\d{4}_\\w+\\tapplied\\t${ISO}\\n){${names.length}}$`));
});

test("migrate status --json is one object", async (t) => {
  const url = await emptyDatabase(t);
  const [before, ...more] = ndjson((await cli(url, ["migrate", "status", "--json"])).stdout);
  assert.deepEqual(more, []);
  assert.deepEqual([before.version, before.ready, before.applied], [0, false, []]);
  assert.ok(before.pending.length > 0);
  await cli(url, ["migrate", "up"]);
  const [after] = ndjson((await cli(url, ["migrate", "status", "--json"])).stdout);
  assert.deepEqual([after.ready, after.pending], [true, []]);
  assert.deepEqual(after.applied.map((row: { name: string }) => row.name), before.pending);
  for (const { applied_at } of after.applied) assert.match(applied_at, new RegExp(`^${ISO}$`));
});

test("migrate sql prints what makes the schema by hand, needs no database, and counts as applied", async (t) => {
  const { code, stdout, stderr } = await cli(NOWHERE, ["migrate", "sql"]);
  assert.deepEqual({ code, stderr }, { code: 0, stderr: "" });
  const url = await emptyDatabase(t);
  const sql = postgres(url, { max: 1, onnotice: () => {} });
  await sql.unsafe(stdout).simple();
  await sql.end();
  const [status] = ndjson((await cli(url, ["migrate", "status", "--json"])).stdout);
  assert.equal(status.ready, true);
  const published = await cli(url, ["publish", "examples/add", "1", "2"]);
  assert.equal(published.code, 0, published.stderr);
});

test("a schema that is newer than the code ends every command with 78 and says both versions", async (t) => {
  const url = await emptyDatabase(t);
  await cli(url, ["migrate", "up"]);
  const sql = postgres(url, { max: 1, onnotice: () => {} });
  await sql`insert into dispatcher.migration (version, name, works_with) values (999, 'future', 999)`;
  await sql.end();
  for (const args of [["list"], ["migrate", "up"], ["migrate", "status"]]) {
    const { code, stdout, stderr } = await cli(url, args);
    assert.deepEqual({ code, stdout }, { code: 78, stdout: "" }, args.join(" "));
    assert.match(stderr, /^Cannot use this database: its schema is version 999 .+ this code is for \d+\n$/);
  }
});

test("config show prints key, value and origin with tabs: flag, then environment, then file, then default", async () => {
  const file = configFile({ queues: ["from-file"], pool: { min_workers: 7 }, log_level: "debug" });
  const env = { DISPATCHER_POOL_MAX_WORKERS: "9", DISPATCHER_LOG_LEVEL: "warning" };
  const args = ["config", "show", "--config", file, "--database-url", "postgres://me@flag/db"];
  const { code, stdout, stderr } = await cli("postgres://me@variable/db", args, { env });
  assert.deepEqual({ code, stderr }, { code: 0, stderr: "" });
  const rows = new Map(
    stdout.trimEnd().split("\n").map((line) => [line.split("\t")[0], line.split("\t").slice(1)]),
  );
  assert.deepEqual(rows.get("database_url"), ['"postgres://me@flag/db"', "flag"]);
  assert.deepEqual(rows.get("pool.max_workers"), ["9", "environment DISPATCHER_POOL_MAX_WORKERS"]);
  assert.deepEqual(rows.get("log_level"), ['"warning"', "environment DISPATCHER_LOG_LEVEL"]);
  assert.deepEqual(rows.get("pool.min_workers"), ["7", `file ${file}`]);
  assert.deepEqual(rows.get("queues"), ['["from-file"]', `file ${file}`]);
  assert.deepEqual(rows.get("max_attempts"), ["1", "default"]);
  assert.deepEqual([...rows.keys()], [...rows.keys()].sort());
});

test("config show hides passwords, wherever the address comes from, and --json too", async () => {
  const secret = "postgres://me:hunter2@host:5433/db";
  const file = configFile({ listen_url: secret });
  const parts = { PGHOST: "host", PGUSER: "me", PGPASSWORD: "hunter2", PGDATABASE: "db", PGPORT: "5433" };
  for (const url of [secret, undefined]) {
    for (const json of [[], ["--json"]]) {
      const args = ["config", "show", "--config", file, ...json];
      const { code, stdout, stderr } = await cli(url, args, { env: url ? {} : parts });
      assert.equal(code, 0, stderr);
      assert.ok(!(stdout + stderr).includes("hunter2"), stdout);
      assert.ok(stdout.includes("postgres://me:[redacted]@host:5433/db"), stdout);
    }
  }
});

test("config show --json is an object a value with its origin", async () => {
  const { stdout } = await cli("postgres://me@host/db", ["config", "show", "--json"]);
  const values = new Map(ndjson(stdout).map((value) => [value.key, value]));
  const from = "DATABASE_URL";
  assert.deepEqual(values.get("database_url"), {
    key: "database_url",
    value: "postgres://me@host/db",
    origin: "environment",
    from,
  });
  assert.deepEqual(values.get("pool.min_workers"), {
    key: "pool.min_workers",
    value: 4,
    origin: "default",
    from: null,
  });
});

test("config check says ok, with the file it read", async () => {
  assert.deepEqual(ended(await cli(NOWHERE, ["config", "check"])), { code: 0, stdout: "ok\n", stderr: "" });
  const file = configFile({ queues: ["a", "b"] });
  const { code, stdout } = await cli(NOWHERE, ["config", "check", "--config", file]);
  assert.deepEqual({ code, stdout }, { code: 0, stdout: `ok ${file}\n` });
});

test("config check ends with 78 and names key, value and origin of what is wrong", async () => {
  const nowhere = join(tempDir(), "none.json");
  const toml = join(tempDir(), "config.toml");
  const broken = join(tempDir(), "broken.json");
  writeFileSync(broken, "{");
  const wrong: [file: string, says: RegExp][] = [
    [configFile({ pool: { min_workers: 0 } }), /^Cannot use pool\.min_workers 0 from ".+": .+\n$/],
    [
      configFile({ pool: { min_worker: 1 } }),
      /^Unknown configuration key "pool\.min_worker" \(did you mean "pool\.min_workers"\?\) in ".+"\n$/,
    ],
    [
      configFile({ queues: ["q".repeat(64)] }),
      /^Cannot use queues\.0 "q{64}".*: the name has 64 bytes, at most 63 are allowed\n$/,
    ],
    [configFile({ queues: [] }), /^Cannot use queues \[\] from ".+": .+\n$/],
    [
      configFile({ lease_seconds: 5 }),
      /^Cannot use lease_seconds 5 from ".+": .+heartbeat_seconds, which is 5\n$/,
    ],
    [configFile([1]), /^Cannot read configuration ".+": it is not an object\n$/],
    [nowhere, /^Cannot read configuration ".+none\.json": .+\n$/],
    [toml, /^Cannot read configuration ".+config\.toml": its name must end in \.json, .+\n$/],
    [broken, /^Cannot read configuration ".+broken\.json": .+\n$/],
  ];
  for (const [file, says] of wrong) {
    const { code, stdout, stderr } = await cli(NOWHERE, ["config", "check", "--config", file]);
    assert.deepEqual({ code, stdout }, { code: 78, stdout: "" }, file);
    assert.match(stderr, says);
  }
});

test("config schema prints the JSON schema of a file, with a description of what needs one", async () => {
  const { code, stdout, stderr } = await cli(NOWHERE, ["config", "schema"]);
  assert.deepEqual({ code, stderr }, { code: 0, stderr: "" });
  const schema = JSON.parse(stdout);
  assert.equal(schema.type, "object");
  assert.equal(schema.additionalProperties, false);
  assert.equal(schema.properties.pool.properties.min_workers.default, 4);
  assert.equal(schema.properties.tasks.description, "Root directory of the tasks");
});

test("config show reads a configuration that is code", async () => {
  const file = join(tempDir(), "dispatcher.config.ts");
  writeFileSync(
    file,
    "const queues: string[] = ['a'];\nexport default { queues, pool: { max_workers: 2 + 6 } };\n",
  );
  const { code, stdout, stderr } = await cli(NOWHERE, ["config", "show", "--config", file]);
  assert.equal(code, 0, stderr);
  assert.ok(stdout.includes(`pool.max_workers\t8\tfile ${file}\n`));
});
