/** What was claimed comes in columns, and is told apart again. */
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { seal } from "../../runtime/envelope.ts";
import { LONG_CONTENT } from "../../runtime/store/postgres_exchange.ts";
import { uuid7 } from "../../runtime/uuid.ts";
import { claimed as claimedOf } from "../conformance/make.ts";
import { test, type TestContext } from "../harness.ts";
import { migrated } from "./migrated.ts";

/** Text that does not compress, so that it is as long where it is stored. */
function noise(characters: number): string {
  return randomBytes(characters / 2).toString("hex");
}

async function open(t: TestContext) {
  const { sql, store } = await migrated(t);
  const instance = uuid7();
  const work = { node: "one", instance, settlements: [], limit: 500 };
  return { sql, store, claim: (queues: string[]) => store.exchange({ ...work, queues }) };
}

test("an exchange gives each envelope its own content, long or short, whatever is in it", async (t) => {
  const { store, claim } = await open(t);
  const contents = [
    [],
    ["x".repeat(LONG_CONTENT)],
    ["tab\t, line\n, \u001e, \u001f, \u0000, \ud800, \\, \", 'ü€𝄞"],
    ["x".repeat(10 * LONG_CONTENT), "ü"],
    [{ a: [1, null, "{1,2}"] }],
    [""],
    [noise(LONG_CONTENT), "stored as long as it is"],
    [noise(100 * LONG_CONTENT), "ü"],
  ];
  const batch = contents.map((args, i) => seal(`task.${i}`, args));
  await store.publish(batch);
  const { claimed, all, reached, asking } = await claim(["default"]);
  assert.deepEqual(
    claimed,
    contents.map((args, i) =>
      claimedOf({ uuid: batch[i].uuid, task: `task.${i}`, args: JSON.stringify(args) })
    ),
  );
  assert.deepEqual([all, asking, reached.length], [true, false, 1]);
});

test("an exchange gives what is long in one of its columns with the short ones beside it", async (t) => {
  const { sql, store, claim } = await open(t);
  const [long, packed] = [noise(50 * LONG_CONTENT), "x".repeat(50 * LONG_CONTENT)];
  const batch = [
    seal("args", [long], { kwargs: { short: 1 } }),
    seal("kwargs", ["short"], { kwargs: { long } }),
    seal("both", [packed], { kwargs: { long }, timeout: 5 }),
    seal("packed", [1], { kwargs: { packed } }),
    seal("none", [2], { kwargs: { b: 2 } }),
  ];
  await store.publish(batch);
  const { claimed } = await claim(["default"]);
  const content = batch.map(({ task, args, kwargs }) => [task, args, kwargs]);
  assert.deepEqual(claimed.map(({ task, args, kwargs }) => [task, args, kwargs]), content);
  assert.deepEqual(claimed.map(({ timeout }) => timeout), [null, null, 5, null, null]);
  const [{ stored }] =
    await sql`select pg_column_size(args) stored from dispatcher.envelope where task = 'both'`;
  assert.ok(stored < LONG_CONTENT, `${stored} bytes: this was to be stored short`);
});

test("an exchange tells what is unusual of the envelope that it is of", async (t) => {
  const { sql, store, claim } = await open(t);
  const long = ["y".repeat(2 * LONG_CONTENT)];
  const kinds = [
    seal("a", [], { queue: "one", priority: 5, maxAttempts: 3, timeout: 1.5 }),
    seal("b", long, { queue: "two", onDuplicate: "serial" }),
    seal("c", [], { queue: "one", priority: -5 }),
    seal("d", [], { queue: "two", kwargs: { k: 1 } }),
  ];
  await store.publish(kinds);
  const [a, b, c, d] = kinds.map(({ uuid }) => uuid);
  const origin = uuid7();
  await sql`update dispatcher.envelope set attempt = 6, fence = 9, forgiven = 2, solo = true, origin = ${origin}
    where uuid = ${d}`;
  const { claimed, reached } = await claim(["one", "two"]);
  const [args, options] = ["[]", JSON.stringify({ on_duplicate: "serial" })];
  const rare = { attempt: 7, fence: 10, forgiven: 2, solo: true, origin };
  assert.deepEqual(claimed, [
    claimedOf({ uuid: c, task: "c", queue: "one", args, priority: -5 }),
    claimedOf({ uuid: d, task: "d", queue: "two", args, kwargs: '{"k":1}', ...rare }),
    claimedOf({ uuid: b, task: "b", queue: "two", args: JSON.stringify(long), keyed: true, options }),
    claimedOf({ uuid: a, task: "a", queue: "one", args, priority: 5, maxAttempts: 3, timeout: 1.5 }),
  ]);
  assert.deepEqual(reached.map(({ queue, priority }) => [queue, priority]), [["one", -5], ["two", 0], [
    "one",
    5,
  ]]);
  const ids = await sql`select id::int, uuid::text from dispatcher.envelope`;
  assert.deepEqual(reached.map(({ id }) => ids.find((row) => row.id === id)?.uuid), [c, b, a]);
});

test("a name with the character that stands between two is claimed with another in its place", async (t) => {
  const { sql, claim } = await open(t);
  await sql`insert into dispatcher.envelope (uuid, queue, task) values
    (${uuid7()}, 'default', ${"a\x1fb"}), (${uuid7()}, 'default', 'c')`;
  const { claimed } = await claim(["default"]);
  assert.deepEqual(claimed.map(({ task }) => task), ["a b", "c"]);
});

test("an exchange gives content that is compressed only by the claim's own writing", async (t) => {
  const { store, claim } = await open(t);
  // Among these are rows just under the size from which a row is compressed; the node's name and the like bring them over it.
  // By itself each: what is compressed already is found in another way.
  for (let length = 1_700; length < 2_000; length += 5) {
    const envelope = seal("t", ["x".repeat(length)]);
    await store.publish([envelope]);
    const { claimed } = await claim(["default"]);
    assert.deepEqual(claimed.map((one) => [one.uuid, one.args]), [[envelope.uuid, envelope.args]]);
  }
});
