/** What a tasks root brings with it: tables, schedules, tasks at start, commands and pages of its own. */
import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { loadExtension } from "../../runtime/extension.ts";
import { eventually, tempDir, test } from "../harness.ts";
import { spawnCli } from "../processes.ts";
import { cluster, FIXTURES } from "./cluster.ts";

const ROOT = fileURLToPath(new URL("../fixtures/extended", import.meta.url));
const ON = { DISPATCHER_EXTENSION: "on", DISPATCHER_TASKS: ROOT };

test("a node brings the tables up to date, knows the schedules, runs what is for its start, and shows the pages", async (t) => {
  const { client, node } = await cluster(t);
  const { http } = await node({ name: "n1", workers: 1, tasks: ROOT, extension: true, http: true });
  const [done] = await eventually(async () => {
    const rows = await client.list({ task: "count", state: ["completed"] });
    return rows.length > 0 ? rows : undefined;
  }, { within: 20_000 }) as { result: unknown }[];
  assert.equal(done.result, 1);
  assert.deepEqual((await client.schedules()).map(({ name }) => name), ["crm: count"]);
  const text = async (path: string) => await (await fetch(`${http}${path}`)).text();
  assert.match(await text("/customers"), /Ann<\/a>/);
  assert.match(await text("/customers/7"), /<h1>Customer 7<\/h1>/);
  assert.match(await text("/"), /href="\/customers" data-go="u">Customers/);
});

test("a node without it knows nothing of it", async (t) => {
  const { client, node } = await cluster(t);
  const { http } = await node({ name: "n1", workers: 1, tasks: ROOT, http: true });
  assert.equal((await fetch(`${http}/customers`)).status, 404);
  assert.equal((await client.schedules()).length, 0);
});

test("commands of an extension are found, listed and explained, and make their tables", async (t) => {
  const { url } = await cluster(t);
  const cli = (...args: string[]) => spawnCli(args, { env: ON });
  const listed = await cli("crm", "customer", "list", "--json", "--database-url", url);
  assert.deepEqual([listed.stdout, listed.code], ['{"id":1,"name":"Ann"}\n', 0], listed.stderr);
  assert.match((await cli("--help")).stdout, /crm/);
  assert.match((await cli("crm", "customer", "--help")).stdout, /crm customer list +List the customers/);
  const wrong = await cli("crm", "customer", "lits");
  assert.deepEqual([wrong.code, wrong.stderr], [
    2,
    'Unknown command "crm customer lits" (did you mean "crm customer list"?)\n',
  ]);
});

test("migrate up, status and sql take in the tables of an extension", async (t) => {
  const { url, client } = await cluster(t);
  const cli = (...args: string[]) => spawnCli(["migrate", ...args], { env: { ...ON, DATABASE_URL: url } });
  assert.match((await cli("status")).stdout, /^crm\.0001_customers\tmissing$/m);
  assert.equal((await cli("up")).stdout, "crm.0001_customers\n");
  assert.match((await cli("status")).stdout, /^crm\.0001_customers\tapplied\t/m);
  assert.equal((await cli("up")).stdout, "");
  await client.database().unsafe("drop schema crm cascade");
  const { stdout } = await cli("sql");
  await client.database().unsafe(
    stdout.slice(stdout.indexOf("-- extension crm")).replace(/^(begin|commit);$/gm, ""),
  );
  assert.equal((await client.database().unsafe("select from crm.customer")).length, 1);
});

test("loadExtension() refuses what is none, naming the file and what is wrong; without a file there is none", async () => {
  assert.equal(await loadExtension({ tasks: FIXTURES, extension: "on" }), undefined);
  assert.equal(await loadExtension({ tasks: ROOT, extension: "off" }), undefined);
  const cases: [text: string, error: RegExp][] = [
    ["export default {}", /extension\.mjs": name: /],
    ["export default { name: 'x', schedules: { a: { task: 't' } } }", /schedules\.a/],
    [
      "export default { name: 'x', migrations: { schema: 'a b' } }",
      /migrations\.schema: it is no name of a schema/,
    ],
    ["export default { name: 'x', migrations: { schema: 'dispatcher' } }", /migrations\.schema/],
  ];
  for (const [text, error] of cases) {
    const tasks = tempDir();
    writeFileSync(join(tasks, "extension.mjs"), text);
    await assert.rejects(loadExtension({ tasks, extension: "on" }), error);
  }
});
