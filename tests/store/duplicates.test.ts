// @runtimes bun
import assert from "node:assert/strict";
import { seal, type Sealed } from "../../runtime/envelope.ts";
import { connect, type Sql } from "../../runtime/store/connection.ts";
import { PostgresStore } from "../../runtime/store/postgres.ts";
import type { Adoption, Claimed, Put } from "../../runtime/store/store.ts";
import type { PublishOptions } from "../../runtime/envelope.ts";
import { readWire } from "../../runtime/broker/wire.ts";
import { registration, settlement } from "../conformance/make.ts";
import { database, eventually, test, type TestContext } from "../harness.ts";

type Mode = "discard" | "serial" | "queue_one";

const PUBLISHERS = 10;
const TASK = "examples/add";

/** A store with one registered node, and a publisher for each of ten connections. */
async function site(t: TestContext) {
  const db = await database({ migrated: true });
  t.after(() => db.drop());
  const sql = connect(db.url, { max: PUBLISHERS });
  t.after(() => sql.end({ timeout: 1 }));
  const store = new PostgresStore(sql);
  const node = registration("n1");
  await store.register(node);
  const publish = async (mode: Mode, args: unknown[] = [1], more: PublishOptions = {}) =>
    (await put(store, [call(mode, args, more)]))[0];
  const claim = (limit = 100, queues = ["default", "n1"]) =>
    store.exchange({ node: "n1", instance: node.instance, settlements: [], queues, limit })
      .then(({ claimed }) => claimed);
  const settle = async (claimed: Claimed, more: Parameters<typeof settlement>[1] = {}) => {
    const settlements = [settlement(claimed, more)];
    await store.exchange({ node: "n1", instance: node.instance, settlements, queues: [], limit: 0 });
  };
  return { sql, store, node, publish, claim, settle };
}

function call(mode: Mode, args: unknown[], more: PublishOptions = {}): Sealed {
  return seal(TASK, args, { onDuplicate: mode, ...more });
}

async function put(store: PostgresStore, batch: Sealed[]): Promise<(Put & { uuid: string })[]> {
  return (await store.publish(batch)).map((put, i) => ({ ...put, uuid: batch[i].uuid }));
}

/** Ten publish the same call at once, each on a connection of its own. */
function ten(store: PostgresStore, mode: Mode, args: unknown[]): Promise<(Put & { uuid: string })[]> {
  const calls = Array.from({ length: PUBLISHERS }, () => put(store, [call(mode, args)]));
  return Promise.all(calls).then((all) => all.flat());
}

/** How many of a key are there, and how many of them no rule holds back. */
async function counts(sql: Sql, args: unknown[] = [1]): Promise<{ all: number; open: number }> {
  const [row] = await sql<{ all: number; open: number }[]>`
    select count(*)::int "all", (count(*) filter (where not blocked))::int "open"
    from dispatcher.envelope where args::text = ${JSON.stringify(args)}`;
  return { ...row };
}

function adoption(message: Record<string, unknown>, everyNode = false): Adoption {
  const wire = readWire(JSON.stringify({ task: TASK, args: [1], ...message }), "default");
  assert.equal(wire.kind, "task");
  if (wire.kind !== "task") throw new Error("unreachable");
  return { envelope: wire.envelope, anonymous: false, everyNode };
}

test("publish() discard leaves one of ten concurrent publishers, in each of many rounds", async (t) => {
  const { sql, store } = await site(t);
  for (let round = 0; round < 40; round++) {
    const puts = await ten(store, "discard", [round]);
    const kept = puts.filter((put) => put.isNew);
    assert.equal(kept.length, 1);
    const others = puts.filter((put) => !put.isNew);
    assert.deepEqual(new Set(others.map((put) => put.duplicateOf)), new Set([kept[0].uuid]));
    assert.deepEqual(await counts(sql, [round]), { all: 1, open: 1 });
  }
});

test("publish() discard drops while one runs or is retried, and not when it is over", async (t) => {
  const { publish, claim, settle, store } = await site(t);
  const first = await publish("discard");
  const [running] = await claim();
  assert.equal((await publish("discard")).duplicateOf, first.uuid);
  await settle(running, { outcome: "retry", delay: 0 });
  assert.equal((await publish("discard")).duplicateOf, first.uuid);
  await store.stage(100);
  await settle((await claim())[0]);
  assert.deepEqual([(await publish("discard")).isNew, (await claim()).length], [true, 1]);
});

test("publish() serial keeps all of ten concurrent publishers and unblocks one", async (t) => {
  const { sql, store } = await site(t);
  for (let round = 0; round < 40; round++) {
    const puts = await ten(store, "serial", [round]);
    assert.ok(puts.every((put) => put.isNew && put.duplicateOf === null));
    assert.deepEqual(await counts(sql, [round]), { all: PUBLISHERS, open: 1 });
  }
});

test("publish() serial never has two unblocked while ten publish, two stage and one works", async (t) => {
  const { sql, store, claim, settle } = await site(t);
  let publishing = true;
  const done: string[] = [];
  const rounds = async () => {
    for (let round = 0; round < 10; round++) await ten(store, "serial", [1]);
    publishing = false;
  };
  const stage = async () => {
    while (publishing || (await counts(sql)).all > 0) await Promise.all([store.stage(100), store.stage(100)]);
  };
  const work = async () => {
    while (publishing || (await counts(sql)).all > 0) {
      const claimed = await claim();
      assert.ok(claimed.length <= 1, `${claimed.length} of one key were claimed at once`);
      assert.ok((await counts(sql)).open <= 1, "two of one key are unblocked");
      for (const one of claimed) {
        await settle(one);
        done.push(one.uuid);
      }
    }
  };
  await Promise.all([rounds(), stage(), work()]);
  assert.equal(new Set(done).size, 10 * PUBLISHERS);
});

test("publish() queue_one keeps one of ten waiting, and one more behind one that runs", async (t) => {
  const { sql, store, claim } = await site(t);
  for (let round = 0; round < 20; round++) {
    assert.equal((await ten(store, "queue_one", [round])).filter((put) => put.isNew).length, 1);
    const [running] = await claim();
    const puts = await ten(store, "queue_one", [round]);
    const [waiting] = puts.filter((put) => put.isNew);
    const rest = puts.filter((put) => !put.isNew);
    assert.equal(rest.length, PUBLISHERS - 1);
    assert.deepEqual(new Set(rest.map((put) => put.duplicateOf)), new Set([waiting.uuid]));
    assert.notEqual(waiting.uuid, running.uuid);
    assert.deepEqual(await counts(sql, [round]), { all: 2, open: 1 });
  }
});

for (const outcome of ["completed", "cancelled", "discarded"] as const) {
  test(`stage() lets the next one go after its head was ${outcome}, in the order of publishing`, async (t) => {
    const { publish, claim, settle, store } = await site(t);
    const uuids = [await publish("serial"), await publish("serial"), await publish("serial")].map((p) =>
      p.uuid
    );
    const ran: string[] = [];
    for (let i = 0; i < 3; i++) {
      const claimed = await claim();
      assert.equal(claimed.length, 1);
      ran.push(claimed[0].uuid);
      await store.stage(100);
      assert.deepEqual(await claim(), []);
      await settle(claimed[0], { outcome });
      assert.deepEqual((await store.stage(100)).queues, i < 2 ? ["default"] : []);
    }
    assert.deepEqual(ran, uuids);
  });
}

test("stage() lets the next one go after its head was cancelled while it waited", async (t) => {
  const { publish, claim, store } = await site(t);
  const [head, next] = [await publish("serial"), await publish("serial")];
  await store.cancel([head.uuid]);
  assert.deepEqual((await store.stage(100)).queues, ["default"]);
  assert.deepEqual((await claim()).map((one) => one.uuid), [next.uuid]);
});

test("stage() lets the next one go after a head with a wish to be cancelled was rescued", async (t) => {
  const { publish, claim, store, node, sql } = await site(t);
  const [head, next] = [await publish("serial"), await publish("serial")];
  await claim();
  await store.cancel([head.uuid]);
  await sql`update dispatcher.node set lease_until = clock_timestamp() - interval '1 hour' where instance = ${node.instance}`;
  await store.rescue();
  const found = await store.outcomes([head.uuid]);
  assert.equal(found.get(head.uuid)?.state, "cancelled");
  assert.deepEqual((await store.stage(100)).queues, ["default"]);
  const again = registration("n1");
  await store.register(again);
  const { claimed } = await store.exchange({
    node: "n1",
    instance: again.instance,
    settlements: [],
    queues: ["default"],
    limit: 9,
  });
  assert.deepEqual(claimed.map((one) => one.uuid), [next.uuid]);
});

test("stage() holds the next one back while a rescued head goes again", async (t) => {
  const { publish, claim, store, node, sql } = await site(t);
  const [head] = [await publish("serial"), await publish("serial")];
  await claim();
  await sql`update dispatcher.node set lease_until = clock_timestamp() - interval '1 hour' where instance = ${node.instance}`;
  await store.rescue();
  await store.stage(100);
  assert.deepEqual(await counts(sql), { all: 2, open: 1 });
  const [row] = await sql`select uuid::text from dispatcher.envelope where not blocked`;
  assert.equal(row.uuid, head.uuid);
});

test("stage() promotes one when ten stage at once", async (t) => {
  const { publish, claim, settle, store, sql } = await site(t);
  for (let i = 0; i < 20; i++) await publish("serial");
  for (let left = 19; left > 0; left--) {
    await settle((await claim())[0]);
    const staged = await Promise.all(Array.from({ length: PUBLISHERS }, () => store.stage(100)));
    assert.deepEqual(await counts(sql), { all: left, open: 1 });
    assert.equal(staged.filter(({ queues }) => queues.length > 0).length, 1);
  }
});

test("publish() serial holds a delayed one back until it is due, and then behind the head", async (t) => {
  const { publish, claim, settle, store, sql } = await site(t);
  const late = await publish("serial", [1], { delay: 3_600 });
  const head = await publish("serial");
  await store.stage(100);
  const [running] = await claim();
  assert.equal(running.uuid, head.uuid, "one that is not due holds nobody back");
  await sql`update dispatcher.envelope set due_at = clock_timestamp() where uuid = ${late.uuid}`;
  await store.stage(100);
  assert.deepEqual(await claim(), []);
  await settle(running);
  await store.stage(100);
  assert.deepEqual((await claim()).map((one) => one.uuid), [late.uuid]);
});

test("publish() discard and queue_one count a delayed one as waiting", async (t) => {
  const { publish, sql } = await site(t);
  for (const mode of ["discard", "queue_one"] as const) {
    const late = await publish(mode, [mode], { delay: 3_600 });
    assert.equal((await publish(mode, [mode])).duplicateOf, late.uuid);
    assert.deepEqual(await counts(sql, [mode]), { all: 1, open: 0 });
  }
});

test("stage() makes a delayed one available when it is due and no head is there", async (t) => {
  const { publish, claim, store } = await site(t);
  const { uuid } = await publish("discard", [1], { delay: 0.05 });
  await eventually(async () => {
    await store.stage(100);
    assert.deepEqual((await claim()).map((one) => one.uuid), [uuid]);
  });
});

test("publish() takes calls of other arguments, tasks and queues for no duplicates", async (t) => {
  const { publish, store, claim } = await site(t);
  const calls = [
    call("discard", [1]),
    call("discard", [2]),
    call("discard", ["1"]),
    call("discard", []),
    call("discard", [1], { kwargs: { a: 1 } }),
    call("discard", [1], { queue: "n1" }),
    seal("examples/sub", [1], { onDuplicate: "discard" }),
  ];
  assert.ok((await put(store, calls)).every((put) => put.isNew));
  assert.equal((await claim()).length, calls.length);
  assert.equal((await publish("discard", [3])).isNew, true);
});

test("publish() parallel is nobody's duplicate", async (t) => {
  const { store, claim, publish } = await site(t);
  await put(store, [seal(TASK, [1], {}), seal(TASK, [1], { onDuplicate: "parallel" })]);
  assert.equal((await publish("discard")).isNew, true);
  assert.equal((await claim()).length, 3);
});

test("publish() takes kwargs with their keys in another order for equal", async (t) => {
  const { publish } = await site(t);
  const { uuid } = await publish("discard", [1], { kwargs: { a: 1, b: { c: [1], d: 2 } } });
  const other = await publish("discard", [1], { kwargs: { b: { d: 2, c: [1] }, a: 1 } });
  assert.equal(other.duplicateOf, uuid);
});

test("publish() compares arguments that jsonb cannot hold", async (t) => {
  const { publish, claim } = await site(t);
  const odd = ["\0", "\u0000a", "€", "\ud83d\ude00"];
  const { uuid } = await publish("discard", odd);
  assert.equal((await publish("discard", odd)).duplicateOf, uuid);
  assert.equal((await publish("discard", [...odd, 1])).isNew, true);
  assert.deepEqual(JSON.parse((await claim(1))[0].args), odd);
});

test("publish() finds a duplicate inside of one batch, and two batches in opposite order do not lock", async (t) => {
  const { store } = await site(t);
  const [a, b, c] = await put(store, [call("discard", [1]), call("discard", [2]), call("discard", [1])]);
  assert.deepEqual([a.isNew, b.isNew, c.isNew], [true, true, false]);
  assert.equal(c.duplicateOf, a.uuid);
  for (let round = 0; round < 20; round++) {
    const args = Array.from({ length: 20 }, (_, i) => [round, i]);
    const batches = [args, args.toReversed()].map((order) => order.map((one) => call("discard", one)));
    const puts = (await Promise.all(batches.map((batch) => put(store, batch)))).flat();
    assert.equal(puts.filter((put) => put.isNew).length, 20);
  }
});

test("publish() knows a uuid that it has seen, also under a rule for duplicates", async (t) => {
  const { store, claim, settle } = await site(t);
  for (const mode of ["serial", "discard", "queue_one"] as const) {
    const own = call(mode, [mode], { uuid: crypto.randomUUID() });
    assert.deepEqual((await put(store, [own]))[0].isNew, true);
    const known = { isNew: false, duplicateOf: null, uuid: own.uuid };
    assert.deepEqual(await put(store, [own]), [known], `${mode} waits`);
    const [claimed] = await claim();
    assert.deepEqual(await put(store, [own]), [known], `${mode} runs`);
    await settle(claimed);
    assert.deepEqual(await put(store, [own]), [known], `${mode} is over`);
    assert.deepEqual(await claim(), []);
  }
});

for (const way of ["publish", "adopt"] as const) {
  test(`${way}() drops nothing for the sake of a uuid that is final, in one batch with it`, async (t) => {
    const { store, publish, claim, settle, sql } = await site(t);
    const known = crypto.randomUUID();
    await publish("discard", [1], { uuid: known });
    await settle((await claim())[0]);
    const batch = [call("discard", [1], { uuid: known }), call("discard", [1])];
    const taken = way === "publish"
      ? (await put(store, batch)).map((one) => one.isNew && one.duplicateOf === null)
      : await store.adopt("n1", batch.map((envelope) => ({ envelope, everyNode: false, anonymous: false })));
    assert.deepEqual(taken, way === "publish" ? [false, true] : 1);
    assert.deepEqual(await counts(sql), { all: 1, open: 1 });
    assert.deepEqual((await claim()).map((one) => one.uuid), [batch[1].uuid]);
  });
}

test("dispatcher.publish() returns the survivor's uuid with each on_duplicate", async (t) => {
  const { sql, claim } = await site(t);
  const publish = async (mode: string) => {
    const options = JSON.stringify({ on_duplicate: mode });
    const [{ uuid }] = await sql.unsafe(
      "select dispatcher.publish('examples/add', $1::text::json, '{}', 'default', $2::text::json)::text uuid",
      [JSON.stringify([mode]), options],
    );
    return uuid as string;
  };
  const kept = await publish("discard");
  assert.equal(await publish("discard"), kept);
  const one = await publish("queue_one");
  assert.equal(await publish("queue_one"), one);
  assert.notEqual(await publish("serial"), await publish("serial"));
  const ids = await Promise.all(Array.from({ length: PUBLISHERS }, () => publish("discard")));
  assert.deepEqual(new Set(ids), new Set([kept]));
  await claim();
  const next = await publish("queue_one");
  assert.notEqual(next, one);
  assert.equal(await publish("queue_one"), next);
  await assert.rejects(publish("twice"), /no on_duplicate "twice"/);
});

test("deliver() keeps a rule for duplicates for each node apart", async (t) => {
  const { store, claim, sql } = await site(t);
  await store.register(registration("n2"));
  const casts = [1, 2, 3].map(() => call("discard", [1], { queue: "broadcast" }));
  assert.ok((await put(store, casts)).every((put) => put.isNew));
  await Promise.all([store.deliver("n1"), store.deliver("n2")]);
  const rows = await sql<{ queue: string; n: number }[]>`
    select queue, count(*)::int n from dispatcher.envelope group by 1 order by 1`;
  assert.deepEqual(rows.map(({ queue, n }) => [queue, n]), [["n1", 1], ["n2", 1]]);
  assert.equal((await claim()).length, 1);
});

test("adopt() obeys on_duplicate across ten messages on two nodes", async (t) => {
  const { store, sql } = await site(t);
  await store.register(registration("n2"));
  const each = async (mode: Mode, args: unknown[]) => {
    const messages = Array.from(
      { length: PUBLISHERS },
      () => adoption({ uuid: crypto.randomUUID(), on_duplicate: mode, args }),
    );
    // Every node hears every message.
    await Promise.all(
      messages.flatMap((message) => ["n1", "n2"].map((node) => store.adopt(node, [message]))),
    );
    return await counts(sql, args);
  };
  assert.deepEqual(await each("discard", [1]), { all: 1, open: 1 });
  assert.deepEqual(await each("queue_one", [2]), { all: 1, open: 1 });
  assert.deepEqual(await each("serial", [3]), { all: PUBLISHERS, open: 1 });
});

test("adopt() runs a message of a broadcast channel once a node, by its rule", async (t) => {
  const { store, sql } = await site(t);
  await store.register(registration("n2"));
  const messages = [1, 2].map(() => adoption({ uuid: crypto.randomUUID(), on_duplicate: "serial" }, true));
  for (const node of ["n1", "n2"]) await store.adopt(node, messages);
  const rows = await sql<{ queue: string; blocked: boolean }[]>`
    select queue, blocked from dispatcher.envelope order by 1, 2`;
  const found = rows.map(({ queue, blocked }) => `${queue} ${blocked}`);
  assert.deepEqual(found, ["n1 false", "n1 true", "n2 false", "n2 true"]);
});
