/** How much an envelope and a result may carry, at every door. */
import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { connect } from "../../mod.ts";
import { toPayloads } from "../../runtime/broker/chunks.ts";
import { eventually, tempDir, test } from "../harness.ts";
import { FIXTURES } from "./cluster.ts";
import { base, nodeFor } from "./site.ts";

const LIMIT = 1_048_576;
/** Arguments whose JSON has so many bytes, with empty kwargs and no options. */
const argsOf = (bytes: number) => ["x".repeat(bytes - 4 - 2)];
const OVER = /its args and kwargs have \d{7} bytes, at most 1048576 are allowed/;

test("the client takes what fits and refuses what does not, with size and limit", async (t) => {
  const { client, url, sql } = await base(t);
  const room = LIMIT - '{"watch":true}'.length;
  await client.publish("t", argsOf(room));
  const refused = { code: "invalid_args", message: OVER };
  await assert.rejects(client.publish("t", argsOf(room + 1)), refused);
  await assert.rejects(client.publish("t", [], { kwargs: { a: "€".repeat(LIMIT / 3) } }), refused);
  await assert.rejects(client.publish("t", argsOf(LIMIT + 1), { volatile: true }), refused);
  await assert.rejects(client.publishMany([{ task: "t" }, { task: "t", args: argsOf(LIMIT + 1) }]), refused);
  await assert.rejects(client.publishIn(sql, "t", argsOf(LIMIT + 1)), refused);
  const callbacks = [{ task: "t", args: argsOf(LIMIT) }];
  await assert.rejects(client.publish("t", [], { callbacks }), refused);
  const small = await connect({ databaseUrl: url, maxArgsBytes: 100 });
  t.after(() => small.close());
  await assert.rejects(small.publish("t", argsOf(120)), {
    code: "invalid_args",
    message: /at most 100 are allowed/,
  });
  assert.equal((await sql`select from dispatcher.envelope`).length, 1);
});

test("a gigabyte is refused without being written out", async (t) => {
  const { client } = await base(t);
  const megabyte = "x".repeat(1_000_000);
  const args = Array.from({ length: 1_000 }, () => megabyte);
  const refused = { code: "invalid_args", message: /args has over 268435456 characters/ };
  await assert.rejects(client.publish("t", args), refused);
  await assert.rejects(client.publish("t", [], { kwargs: { args } }), { code: "invalid_args" });
});

test("dispatcher.publish() in SQL has the same limit, which a setting changes", async (t) => {
  const { sql } = await base(t);
  const args = (bytes: number) => JSON.stringify(argsOf(bytes));
  const publish = (bytes: number) => sql`select dispatcher.publish('t', ${args(bytes)}::text::json)`;
  await publish(LIMIT);
  const refused = { code: "22023", message: OVER };
  await assert.rejects(publish(LIMIT + 1), refused);
  await assert.rejects(sql`select dispatcher.broadcast('t', ${args(LIMIT + 1)}::text::json)`, refused);
  const [{ name }] = await sql`select current_database() name`;
  await sql.unsafe(`alter database ${name} set dispatcher.max_args_bytes = 2000000`);
  await sql.unsafe("set dispatcher.max_args_bytes = 2000000");
  await publish(LIMIT + 1);
});

test("a message on the wire that is too large is refused with a line, and the next one runs", async (t) => {
  const made = await base(t);
  const node = await nodeFor(t, made.url, ["--node", "one", "--workers", "1", "--tasks", FIXTURES]);
  const send = async (message: object) => {
    for (const payload of toPayloads(JSON.stringify(message))) {
      await made.sql`select pg_notify('default', ${payload})`;
    }
  };
  await send({ task: "bound.plain", args: argsOf(LIMIT + 1) });
  await eventually(() => OVER.test(node.stderr()), { within: 20_000 });
  const uuid = crypto.randomUUID();
  await send({ task: "bound.plain", args: [1], uuid });
  assert.deepEqual((await made.client.wait(uuid, 20, undefined, true)).result, [1]);
  assert.match(node.stderr(), /Cannot take a message of "bound\.plain": /);
});

test("a result that is too large is discarded with its size and the limit; both are configured", async (t) => {
  const made = await base(t);
  const config = join(tempDir(), "config.json");
  writeFileSync(config, JSON.stringify({ max_result_bytes: 1_000, max_args_bytes: 3_000_000 }));
  const args = ["--node", "one", "--workers", "1", "--tasks", FIXTURES, "--config", config];
  await nodeFor(t, made.url, args);
  const client = await connect({ databaseUrl: made.url, maxArgsBytes: 3_000_000 });
  t.after(() => client.close());
  const fits = await client.publish("results#repeats", ["x", 998]);
  assert.equal((await fits.result({ within: 20 }) as string).length, 998);
  for (const count of [999, 2_000_000, 200_000_000]) {
    const { uuid } = await client.publish("results#repeats", ["x", count], { maxAttempts: 3 });
    const { error, attempts } = await made.until(uuid, "discarded");
    const why = `Cannot keep the result of "results#repeats": it has ${
      count + 2
    } bytes, at most 1000 are allowed`;
    assert.ok(error!.message.startsWith(why), error!.message);
    assert.equal(attempts.length, 1, "what is too large is so each time");
  }
  const large = await client.publish("results#lengthOf", argsOf(2_000_000));
  assert.equal(await large.result({ within: 20 }), 2_000_000 - 6);
});
