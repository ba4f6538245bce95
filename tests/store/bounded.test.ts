// @runtimes bun
/** A claim hands out so many bytes of long content; of what it claimed besides it tells the names, to be given back. */
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { type PublishOptions, seal, type Sealed } from "../../runtime/envelope.ts";
import type { Sql } from "../../runtime/store/connection.ts";
import type { PostgresStore } from "../../runtime/store/postgres.ts";
import { CLAIM_BYTES } from "../../runtime/store/exchange.ts";
import type { Claimed, NodeRegistration } from "../../runtime/store/store.ts";
import { settlement } from "../conformance/make.ts";
import { join, put, row } from "../conformance/store/moves.ts";
import { test, type TestContext } from "../harness.ts";
import { migrated } from "./migrated.ts";

const LONG = 40_000;

/** Text that does not compress. */
const noise = (bytes = LONG) => randomBytes(bytes * 3 / 4).toString("base64");

/** Where content lies: in a table of its own, or in the row of its envelope, as whoever writes SQL puts it there. */
const PLACES = ["apart", "in its row"] as const;

/** A store with some calls in it, and how a node claims of them. */
async function open(
  t: TestContext,
  place: typeof PLACES[number],
  calls: [args: unknown[], options?: PublishOptions][],
) {
  const { sql, store } = await migrated(t);
  const batch = calls.map(([args, options]) => seal("t", args, options));
  if (place === "apart") await put(store, ...batch);
  else await write(sql, batch);
  const [{ apart }] = await sql`select count(*)::int apart from dispatcher.content`;
  const long = batch.filter(({ args }) => args.length > LONG).length;
  assert.equal(apart, place === "apart" ? long : 0);
  const node = await join(store, "one");
  return {
    sql,
    batch,
    store,
    node,
    claim: (limit: number, bytes?: number) => claim(store, node, limit, bytes),
  };
}

async function write(sql: Sql, batch: Sealed[]): Promise<void> {
  for (const { uuid, task, args, priority } of batch) {
    await sql`insert into dispatcher.envelope (uuid, queue, task, args, priority)
      values (${uuid}, 'default', ${task}, ${args}::text::json, ${priority})`;
  }
}

async function claim(store: PostgresStore, node: NodeRegistration, limit: number, bytes?: number) {
  const work = { node: node.name, instance: node.instance, settlements: [], queues: ["default"], limit };
  return await store.exchange({ ...work, bytes });
}

const argsOf = (list: { args: string }[]) => list.map(({ args }) => args);
const namesOf = (list: { uuid: string }[]) => list.map(({ uuid }) => uuid);

for (const place of PLACES) {
  test(`of long content ${place} a claim hands out what comes first, and names the rest`, async (t) => {
    const short: [unknown[]] = [["short"]];
    const calls: [unknown[]][] = [[[noise()]], short, [[noise()]], [[noise()]], [[noise()]], short];
    const { sql, batch, claim } = await open(t, place, calls);
    const { claimed, withheld, all, reached, returned } = await claim(10, 1.5 * LONG);
    const [a, b, c, d, e, f] = batch;
    // The second passes the bound, and is the last.
    assert.deepEqual(argsOf(claimed), argsOf([a, b, c, f]));
    assert.deepEqual(namesOf(withheld).sort(), namesOf([d, e]).sort());
    assert.deepEqual([all, reached], [false, []], "what is given back is looked for");
    const [{ id }] = await sql`select id::int from dispatcher.envelope where uuid = ${d.uuid}`;
    assert.deepEqual(returned, [{ queue: "default", priority: 0, id }]);
  });

  test(`what is withheld of content ${place} is claimed again after it was given back, uncharged`, async (t) => {
    const calls = Array.from({ length: 5 }, (): [unknown[]] => [[noise()]]);
    const { batch, store, node, claim } = await open(t, place, calls);
    const got: Claimed[] = [];
    for (let rounds = 0; got.length < 5; rounds++) {
      const { claimed, withheld } = await claim(10, 1.5 * LONG);
      assert.ok(claimed.length > 0, "each time something comes");
      got.push(...claimed);
      const settlements = withheld.map((one) => settlement(one, { outcome: "released", record: null }));
      const work = { node: node.name, instance: node.instance, settlements, queues: [], limit: 0 };
      assert.equal((await store.exchange(work)).settled.size, withheld.length);
    }
    assert.deepEqual(argsOf(got), argsOf(batch));
    assert.deepEqual(got.map(({ attempt }) => attempt), [1, 1, 1, 1, 1]);
    assert.deepEqual((await row(store, batch[4].uuid)).attempts, []);
  });

  test(`one whose content ${place} is larger than the bound comes by itself, the most urgent first`, async (t) => {
    const { batch, claim } = await open(t, place, [
      [[noise()], {}],
      [[noise(4 * LONG)], { priority: -5 }],
      [[noise()], {}],
    ]);
    const { claimed, withheld } = await claim(10, LONG);
    assert.deepEqual(argsOf(claimed), [batch[1].args]);
    assert.equal(withheld.length, 2);
  });

  test(`unless told otherwise a claim hands out 16 MiB of content ${place}`, async (t) => {
    const each = CLAIM_BYTES / 8;
    const calls = Array.from({ length: 10 }, (): [unknown[]] => [[noise(each)]]);
    const { batch, claim } = await open(t, place, calls);
    const { claimed, withheld } = await claim(10);
    assert.deepEqual(argsOf(claimed), argsOf(batch.slice(0, 8)));
    assert.equal(withheld.length, 2);
  });

  test(`content ${place} within the bound comes whole`, async (t) => {
    const { batch, claim } = await open(t, place, [[[noise()]], [[noise()]], [[1]]]);
    const { claimed, withheld, all, reached } = await claim(10, 10 * LONG);
    assert.deepEqual(argsOf(claimed), argsOf(batch));
    assert.deepEqual([withheld, all, reached.length], [[], true, 1]);
  });
}

test("of content of several days each has its part of the bound, and at least one comes of each", async (t) => {
  const { sql, store } = await migrated(t);
  const batch = Array.from({ length: 4 }, () => seal("t", [noise()], {}));
  await put(store, ...batch);
  for (const { uuid } of batch.slice(0, 2)) {
    await sql`update dispatcher.content set day = 20200101
      where id::text = (select args ->> 'content' from dispatcher.envelope where uuid = ${uuid})`;
    await sql`update dispatcher.envelope set args = ('{"content":"' || (args ->> 'content') || '","day":20200101}')::json
      where uuid = ${uuid}`;
  }
  const node = await join(store, "one");
  const { claimed, withheld } = await claim(store, node, 10, LONG / 2);
  assert.deepEqual(argsOf(claimed), argsOf([batch[0], batch[2]]));
  assert.deepEqual(namesOf(withheld).sort(), namesOf([batch[1], batch[3]]).sort());
});
