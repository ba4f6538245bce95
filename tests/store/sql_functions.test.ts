// @runtimes bun
/** dispatcher.publish() and dispatcher.broadcast(), as psql, a trigger or another language calls them. */
import assert from "node:assert/strict";
import type { Sql } from "../../runtime/store/connection.ts";
import { copyUuid, isUuid, uuid7 } from "../../runtime/uuid.ts";
import { claim, finish, join, row } from "../conformance/store/moves.ts";
import { eventually, test } from "../harness.ts";
import { migrated } from "./migrated.ts";

/** Call a function as psql would, with everything written out; its uuid. */
async function call(sql: Sql, text: string): Promise<string> {
  const [{ uuid }] = await sql.unsafe(`select ${text} uuid`);
  assert.ok(isUuid(uuid));
  return uuid;
}

/** What waits on the channel on which nodes are woken, until the test ends. */
async function wakes(sql: Sql): Promise<string[]> {
  const heard: string[] = [];
  await sql.listen("dispatcher_wake", (payload) => heard.push(payload));
  return heard;
}

test("publish() in SQL makes an envelope of a name alone", async (t) => {
  const { sql, store } = await migrated(t);
  const uuid = await call(sql, "dispatcher.publish('examples/add')");
  assert.equal(uuid[14], "7", "a version 7 uuid");
  const { task, args, kwargs, queue, options, state, priority, time_pub } = await row(store, uuid);
  assert.deepEqual([task, args, kwargs, queue, options], ["examples/add", [], {}, "default", {}]);
  assert.deepEqual([state, priority], ["available", 0]);
  assert.ok(Math.abs(time_pub! * 1000 - Date.now()) < 600_000);
});

test("publish() in SQL takes every argument and option", async (t) => {
  const { sql, store } = await migrated(t);
  const own = uuid7().toUpperCase();
  const asks = { resources: { gpu: 2 }, preemptible: true };
  const options = {
    uuid: own,
    timeout: 2.5,
    priority: -3,
    max_attempts: 4,
    guid: "g",
    delay: 3_600,
    ...asks,
  };
  const uuid = await call(
    sql,
    `dispatcher.publish('a', '[1, "\\u0000"]', '{"b": 2}', 'mail', '${JSON.stringify(options)}')`,
  );
  assert.equal(uuid, own.toLowerCase());
  const kept = await row(store, uuid);
  const { due, ...rest } = kept.options as { due: number };
  assert.deepEqual([kept.args, kept.kwargs, kept.queue, rest], [[1, "\0"], { b: 2 }, "mail", {
    guid: "g",
    ...asks,
  }]);
  assert.ok(Math.abs(due - Date.parse(kept.due_at!)) < 1_000);
  assert.deepEqual([kept.timeout, kept.priority, kept.max_attempts, kept.state], [2.5, -3, 4, "scheduled"]);
  assert.ok(Date.parse(kept.due_at!) > Date.now() + 3_000_000);
});

test("publish() in SQL asks for resources, and its waiting counts from when it is due", async (t) => {
  const { sql, store } = await migrated(t);
  // A microsecond: scheduled, and due before anybody can ask.
  const asks = JSON.stringify({ resources: { gpu: 2, cpu: 0.5 }, delay: 0.000001 });
  const due = await call(sql, `dispatcher.publish('a', options => '${asks}')`);
  const old = await call(
    sql,
    `dispatcher.publish('a', options => '${JSON.stringify({ resources: { gpu: 1 } })}')`,
  );
  await sql`update dispatcher.envelope set created_at = created_at - interval '1 hour'`;
  await store.stage(10);
  const found = new Map((await store.contenders(["default"], 9)).map((one) => [one.uuid, one]));
  assert.deepEqual([found.get(due)?.demand, found.get(old)?.demand], [{ gpu: 2, cpu: 0.5 }, { gpu: 1 }]);
  assert.ok(found.get(due)!.waited < 60 && found.get(old)!.waited > 3_599);
  assert.ok((await store.holdups(due))!.waited < 60);
});

test("publish() in SQL takes a time, which may have passed", async (t) => {
  const { sql, store } = await migrated(t);
  const later = await row(
    store,
    await call(sql, `dispatcher.publish('a', options => '{"at": "2099-01-02T03:04:05Z"}')`),
  );
  assert.deepEqual([later.state, later.due_at], ["scheduled", "2099-01-02T03:04:05.000Z"]);
  const past = await row(
    store,
    await call(sql, `dispatcher.publish('a', options => '{"at": "2001-01-01"}')`),
  );
  assert.deepEqual([past.state, past.due_at], ["available", null]);
});

test("publish() in SQL takes null for an option without a value", async (t) => {
  const { sql, store } = await migrated(t);
  const names = ["uuid", "delay", "at", "timeout", "priority", "max_attempts", "guid", "ttl", "on_duplicate"];
  const options = JSON.stringify(Object.fromEntries(names.map((name) => [name, null])));
  assert.equal(
    (await row(store, await call(sql, `dispatcher.publish('a', options => '${options}')`))).state,
    "available",
  );
});

test("publish() in SQL keeps the text of the arguments byte for byte", async (t) => {
  const { sql, store } = await migrated(t);
  const node = await join(store, "n");
  const texts = ["[1,  2 ,3e0]", '["\\ud800", "\\u0000", "é\\u00e9"]', "[ ]", '["\'"]'];
  for (const args of texts) await sql`select dispatcher.publish('a', ${args}::text::json)`;
  assert.deepEqual((await claim(store, node)).map((one) => one.args), texts);
});

test("publish() in SQL in a transaction that is rolled back does nothing", async (t) => {
  const { sql, store } = await migrated(t);
  const heard = await wakes(sql);
  const rolledBack = sql.begin(async (tx) => {
    await call(tx as unknown as Sql, "dispatcher.publish('a')");
    await call(tx as unknown as Sql, "dispatcher.broadcast('a')");
    throw new Error("roll back");
  });
  await assert.rejects(rolledBack, /roll back/);
  assert.equal((await store.list({ limit: 10 })).length, 0);
  assert.equal((await sql`select from dispatcher.broadcast`).length, 0);
  await call(sql, "dispatcher.publish('a')");
  await eventually(() => assert.deepEqual(heard, ["default"]));
});

test("publish() in SQL works in a trigger, in the transaction of the change", async (t) => {
  const { sql, store } = await migrated(t);
  await sql.unsafe(`create table orders (id int);
    create function ordered() returns trigger language plpgsql as $$ begin
      perform dispatcher.publish('mail/confirm', json_build_array(new.id)); return new; end $$;
    create trigger ordered after insert on orders for each row execute function ordered()`);
  await sql`insert into orders values (1), (2)`;
  const rows = await store.list({ limit: 10 });
  assert.deepEqual(rows.map((one) => one.args).sort(), [[1], [2]]);
});

test("publish() in SQL wakes the nodes: with the queue, or with nothing for what runs later", async (t) => {
  const { sql } = await migrated(t);
  const heard = await wakes(sql);
  await call(sql, "dispatcher.publish('a', queue => 'mail')");
  await call(sql, `dispatcher.publish('a', options => '{"delay": 60}')`);
  await call(sql, "dispatcher.broadcast('a')");
  await eventually(() => assert.deepEqual(heard, ["mail", "", "broadcast"]));
});

test("publish() in SQL of a known uuid gives it back and changes nothing", async (t) => {
  const { sql, store } = await migrated(t);
  const node = await join(store, "n");
  const uuid = uuid7();
  const again = (args: string) =>
    call(sql, `dispatcher.publish('a', '${args}', options => '{"uuid": "${uuid}"}')`);
  await again('["first"]');
  assert.equal(await again('["second"]'), uuid);
  assert.deepEqual((await row(store, uuid)).args, ["first"]);
  const [claimed] = await claim(store, node);
  assert.equal(await again('["third"]'), uuid);
  assert.equal((await row(store, uuid)).state, "running");
  await finish(store, node, claimed, { result: "1" });
  assert.equal(await again('["fourth"]'), uuid);
  const { state, args, result } = await row(store, uuid);
  assert.deepEqual([state, args, result], ["completed", ["first"], 1]);
  assert.deepEqual(await claim(store, node), []);
});

test("publish() in SQL leaves alone what waits under a uuid that is in the archive too", async (t) => {
  const { sql, store } = await migrated(t);
  const node = await join(store, "n");
  const uuid = await call(sql, "dispatcher.publish('a')");
  await finish(store, node, (await claim(store, node))[0]);
  // As a later version does that tries again what was final.
  await sql`insert into dispatcher.envelope (uuid, queue, task) values (${uuid}, 'default', 'a')`;
  await call(sql, `dispatcher.publish('a', options => '{"uuid": "${uuid}"}')`);
  assert.deepEqual((await claim(store, node)).map((one) => one.uuid), [uuid]);
});

test("broadcast() in SQL reaches every node, and publish() to the queue broadcast is the same", async (t) => {
  const { sql, store } = await migrated(t);
  await join(store, "n");
  const options = `'{"timeout": 3, "priority": 1, "max_attempts": 2, "guid": "g"}'`;
  const uuids = [
    await call(sql, `dispatcher.broadcast('a', '[1]', '{"k": 1}', ${options})`),
    await call(sql, `dispatcher.publish('a', '[1]', '{"k": 1}', 'broadcast', ${options})`),
  ];
  assert.equal(await store.deliver("n"), 2);
  for (const uuid of uuids) {
    const copy = await row(store, copyUuid(uuid, "n"));
    assert.deepEqual([copy.origin, copy.queue, copy.args, copy.kwargs], [uuid, "n", [1], { k: 1 }]);
    assert.deepEqual([copy.timeout, copy.priority, copy.max_attempts, copy.options], [3, 1, 2, {
      guid: "g",
    }]);
  }
});

test("broadcast() in SQL of a known uuid changes nothing, and waits as long as its ttl", async (t) => {
  const { sql } = await migrated(t);
  const uuid = uuid7();
  for (const args of ['["first"]', '["second"]']) {
    await call(sql, `dispatcher.broadcast('a', '${args}', options => '{"uuid": "${uuid}", "ttl": 120}')`);
  }
  const rows =
    await sql`select args, extract(epoch from expires_at - created_at)::float8 ttl from dispatcher.broadcast`;
  assert.equal(rows.length, 1);
  assert.deepEqual(rows[0].args, ["first"]);
  assert.ok(Math.abs(rows[0].ttl - 120) < 5);
});

test("publish() in SQL of a broadcast's uuid changes nothing, and broadcast() of an envelope's neither", async (t) => {
  const { sql, store } = await migrated(t);
  const [cast, plain] = [uuid7(), uuid7()];
  const options = (uuid: string, more = "") => `options => '{"uuid": "${uuid}"${more}}'`;
  await call(sql, `dispatcher.broadcast('a', ${options(cast)})`);
  await call(sql, `dispatcher.publish('a', ${options(plain)})`);
  for (const more of ["", ', "on_duplicate": "serial"']) {
    assert.equal(await call(sql, `dispatcher.publish('b', ${options(cast, more)})`), cast);
  }
  assert.equal(await call(sql, `dispatcher.broadcast('b', ${options(plain)})`), plain);
  assert.equal(await store.waiting(["default"]), 1);
  assert.equal((await row(store, plain)).task, "a");
  const rows = await sql`select uuid, task from dispatcher.broadcast`;
  assert.deepEqual([rows.length, rows[0].uuid, rows[0].task], [1, cast, "a"]);
});

/** Arguments in SQL, and what the error says; it names the value. */
const BAD: [args: string, error: RegExp][] = [
  ["null", /^Cannot publish a task named null: the name is blank$/],
  ["''", /^Cannot publish a task named '': the name is blank$/],
  ["'  '", /^Cannot publish a task named ' {2}': the name is blank$/],
  [`'a', '{}'`, /^Cannot publish "a": args is object, not an array$/],
  [`'a', '5'`, /^Cannot publish "a": args is number, not an array$/],
  ["'a', null", /^Cannot publish "a": args is null, not an array$/],
  [`'a', '[1'`, /invalid input syntax for type json/],
  [`'a', kwargs => '[]'`, /^Cannot publish "a": kwargs is array, not an object$/],
  ["'a', kwargs => null", /^Cannot publish "a": kwargs is null, not an object$/],
  [`'a', options => '[]'`, /^Cannot publish "a": options is array, not an object$/],
  [`'a', options => '"x"'`, /^Cannot publish "a": options is string, not an object$/],
  ["'a', options => null", /^Cannot publish "a": options is null, not an object$/],
  [`'a', options => '{"timout": 5}'`, /^Cannot publish "a": no option "timout"$/],
  [`'a', options => '{"uuid": "42"}'`, /^Cannot publish "a": uuid '42' is not a UUID$/],
  [`'a', options => '{"uuid": ""}'`, /^Cannot publish "a": uuid '' is not a UUID$/],
  [`'a', options => '{"timeout": 0}'`, /^Cannot publish "a": timeout 0 is not a positive number of seconds/],
  [`'a', options => '{"timeout": "NaN"}'`, /^Cannot publish "a": timeout NaN is not a positive number/],
  [`'a', options => '{"timeout": "soon"}'`, /"soon"/],
  [`'a', options => '{"delay": -1}'`, /^Cannot publish "a": delay -1 is not a positive number of seconds/],
  [`'a', options => '{"delay": 1e300}'`, /^Cannot publish "a": delay 1e300 is not a positive number/],
  [`'a', options => '{"delay": "Infinity"}'`, /^Cannot publish "a": delay Infinity is not a positive number/],
  [`'a', options => '{"ttl": 0}'`, /^Cannot publish "a": ttl 0 is not a positive number of seconds/],
  [`'a', options => '{"at": "tomorrowish"}'`, /"tomorrowish"/],
  [`'a', options => '{"at": "infinity"}'`, /^Cannot publish "a": at infinity is not a time$/],
  [`'a', options => '{"priority": 1.5}'`, /"1\.5"/],
  [`'a', options => '{"priority": 40000}'`, /"40000"/],
  [`'a', options => '{"max_attempts": 0}'`, /^Cannot publish "a": max_attempts 0 is not between 1 and 1000$/],
  [`'a', options => '{"max_attempts": 1001}'`, /^Cannot publish "a": max_attempts 1001 is not between/],
  [`'a', options => '{"on_duplicate": "maybe"}'`, /on_duplicate.*maybe/],
  [`'a', options => '{"preemptible": 1}'`, /^Cannot publish "a": preemptible 1 is not true or false$/],
  [`'a', options => '{"resources": [1]}'`, /^Cannot publish "a": resources is array, not an object$/],
  [
    `'a', options => '{"resources": {"gpu": -1}}'`,
    /^Cannot publish "a": resources has -1 of gpu: it must be/,
  ],
  [`'a', options => '{"resources": {"gpu": "1"}}'`, /^Cannot publish "a": resources has "1" of gpu: it must/],
  [
    `'a', options => '{"resources": {"1gpu": 1}}'`,
    /^Cannot publish "a": resources has 1 of 1gpu: it must be/,
  ],
  [`'a', options => '{"resources": {"gpu": 1e13}}'`, /^Cannot publish "a": resources has 1e13 of gpu: it/],
];

for (const name of ["publish", "broadcast"]) {
  test(`${name}() in SQL refuses every bad argument, naming it, and writes nothing`, async (t) => {
    const { sql, store } = await migrated(t);
    for (const [args, expected] of BAD) {
      await assert.rejects(call(sql, `dispatcher.${name}(${args})`), (error: Error & { code: string }) => {
        assert.match(error.message, expected, args);
        assert.match(error.code, /^22/, "a data exception");
        return true;
      });
    }
    assert.equal((await store.list({ limit: 10 })).length, 0);
    assert.equal((await sql`select from dispatcher.broadcast`).length, 0);
  });
}

test("publish() in SQL refuses a queue that is blank or over 63 bytes", async (t) => {
  const { sql } = await migrated(t);
  const cases: [string, RegExp][] = [
    ["''", /^Cannot use '' as a queue: the name is blank or over 63 bytes$/],
    ["'  '", /^Cannot use ' {2}' as a queue/],
    ["null", /^Cannot use null as a queue/],
    ["repeat('x', 64)", /^Cannot use 'x{64}' as a queue/],
    ["repeat('€', 22)", /^Cannot use '€{22}' as a queue/],
  ];
  for (const [queue, expected] of cases) {
    await assert.rejects(call(sql, `dispatcher.publish('a', queue => ${queue})`), {
      message: expected,
      code: "22023",
    });
  }
  await call(sql, "dispatcher.publish('a', queue => repeat('x', 63))");
});
