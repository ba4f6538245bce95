/** Encryption at rest, end to end: what is in the tables, what a task sees, what a client reads. */
import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { connect } from "../../mod.ts";
import { eventually, tempDir, test, type TestContext } from "../harness.ts";
import { FIXTURES } from "./cluster.ts";
import { type Base, base, nodeFor } from "./site.ts";

const key = (id: string) => ({ id, key: btoa(id.padEnd(32, "-")) });
const SECRET = "hunter2-in-the-clear";

async function clientWith(t: TestContext, { url }: Base, ...ids: string[]) {
  const client = await connect({ databaseUrl: url, encryptionKeys: ids.map(key) });
  t.after(() => client.close());
  return client;
}

async function nodeWith(t: TestContext, { url }: Base, name: string, ...ids: string[]) {
  const path = join(tempDir(), "config.json");
  const backoff = { base: 0.05, factor: 1, max: 0.05, jitter: 0 };
  writeFileSync(path, JSON.stringify({ encryption_keys: ids.map(key), backoff }));
  return await nodeFor(t, url, ["--node", name, "--workers", "1", "--tasks", FIXTURES, "--config", path]);
}

/** All that the tables hold, as text. */
async function tables({ sql }: Base): Promise<string> {
  const rows = await sql`select e::text line from dispatcher.envelope e union all
    select a::text from dispatcher.archive a union all select b::text from dispatcher.broadcast b`;
  return rows.map(({ line }) => line).join("\n");
}

test("what is published with a key is in no table, and the task and the client read it", async (t) => {
  const made = await base(t);
  const client = await clientWith(t, made, "k1");
  const echo = "bound#plain";
  const sent = [
    await client.publish(echo, [SECRET], { kwargs: { a: SECRET } }),
    await client.publish(echo, [SECRET], { onDuplicate: "queue_one", kwargs: { a: SECRET } }),
    await client.publish(echo, [SECRET], { kwargs: { a: SECRET }, uuid: crypto.randomUUID() }),
  ];
  const equal = await client.publish(echo, [SECRET], { onDuplicate: "queue_one", kwargs: { a: SECRET } });
  assert.equal(equal.duplicateOf, sent[1].uuid);
  const cast = await client.publish(echo, [SECRET], { queue: "broadcast" });
  assert.ok(!(await tables(made)).includes(SECRET));
  const node = await nodeWith(t, made, "one", "k1");
  sent.push(await client.publish(echo, [SECRET], { kwargs: { a: SECRET }, volatile: true }));
  for (const { result } of sent) assert.deepEqual(await result({ within: 20 }), [SECRET, { a: SECRET }]);
  const late = await client.publish(echo, [SECRET], { queue: "broadcast" });
  assert.deepEqual(await late.result({ within: 20 }), { one: [SECRET] });
  assert.ok(cast.uuid !== late.uuid);
  assert.ok(!(await tables(made)).includes(SECRET));
  const shown = await made.cli("show", sent[0].uuid);
  assert.match(shown.stdout, /\[encrypted\]/);
  assert.ok(!(shown.stdout + node.stderr() + node.stdout()).includes(SECRET));
  const { id, key: secret } = key("k1");
  const env = { DISPATCHER_ENCRYPTION_KEYS: `${id}:${secret}` };
  const read = await made.cliWith(["result", sent[0].uuid], { env });
  assert.deepEqual(JSON.parse(read.stdout), [SECRET, { a: SECRET }]);
  const config = await made.cliWith(["config", "show", "--json"], { env });
  assert.match(config.stdout, /"encryption_keys","value":\["k1"\]/);
  assert.ok(!config.stdout.includes(secret));
});

test("plain and encrypted envelopes, of old keys and of new ones, are read side by side", async (t) => {
  const made = await base(t);
  const old = await (await clientWith(t, made, "old")).publish("bound#plain", ["old"]);
  await nodeWith(t, made, "one", "new", "old");
  const client = await clientWith(t, made, "new", "old");
  const [{ uuid }] = await made.sql`select dispatcher.publish('bound#plain', '["sql"]')::text uuid`;
  const plain = await made.client.publish("bound#plain", ["plain"]);
  for (const [id, text] of [[old.uuid, "old"], [uuid, "sql"], [plain.uuid, "plain"]]) {
    assert.deepEqual((await client.wait(id, 20)).result, [text]);
  }
  // Who has no key cannot read what the node has encrypted.
  await assert.rejects(made.client.wait(plain.uuid, 20), /key "new" is not among the encryption_keys here/);
});

test("an envelope whose key nobody has is tried until somebody has it", async (t) => {
  const made = await base(t);
  await nodeWith(t, made, "one", "other");
  const { uuid, result } = await (await clientWith(t, made, "k1")).publish("bound#plain", ["x"]);
  const why = /^Cannot decrypt the args of "[0-9a-f-]+": key "k1" is not among the encryption_keys here$/;
  const row = await eventually(async () => {
    const row = await made.row(uuid);
    return row.error ? row : undefined;
  }, { within: 20_000 });
  assert.match(row!.error!.message, why);
  assert.deepEqual([row!.attempt, row!.attempts.length], [0, 0], "it is not charged");
  await nodeWith(t, made, "two", "k1");
  assert.deepEqual(await result({ within: 30 }), ["x"]);
});

test("a ciphertext in another envelope's row does not open", async (t) => {
  const made = await base(t);
  const client = await clientWith(t, made, "k1");
  const mine = await client.publish("bound#plain", ["mine"]);
  const yours = await client.publish("bound#plain", ["yours"]);
  await made.sql`update dispatcher.envelope e set args = o.args from dispatcher.envelope o
    where e.uuid = ${mine.uuid} and o.uuid = ${yours.uuid}`;
  await nodeWith(t, made, "one", "k1");
  assert.match((await made.until(mine.uuid, "discarded")).error!.message, /belongs to another envelope/);
  assert.deepEqual(await yours.result({ within: 20 }), ["yours"]);
});

test("a transaction's result and what it publishes are encrypted as well", async (t) => {
  const made = await base(t);
  await made.sql`create table counter as select 41 n`;
  await nodeWith(t, made, "one", "k1");
  const client = await clientWith(t, made, "k1");
  const sent = await client.publish("transacts#publishes", [false]);
  const followed = await sent.result({ within: 20 }) as string;
  assert.equal((await client.wait(followed, 20)).result, 43);
  const rows = await made.client.list();
  for (const { args, result } of rows) assert.match(JSON.stringify([args, result]), /enc.*enc/);
});
