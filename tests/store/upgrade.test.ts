// @runtimes bun
/** While a cluster is upgraded, nodes of the former release and of this one work on the same rows. */
import assert from "node:assert/strict";
import { seal } from "../../runtime/envelope.ts";
import { connect, type Sql } from "../../runtime/store/connection.ts";
import { migrate, migrationSql, SCHEMA_VERSION, schemaStatus } from "../../runtime/store/migrate.ts";
import { PostgresStore } from "../../runtime/store/postgres.ts";
import { applyRoles } from "../../runtime/store/roles.ts";
import type { Store } from "../../runtime/store/store.ts";
import { copyUuid } from "../../runtime/uuid.ts";
import { settlement } from "../conformance/make.ts";
import { beat, claim, finish, join, lapse, publish, row, settle } from "../conformance/store/moves.ts";
import { FormerStore } from "../fixtures/former/store_2.mjs";
import { database, eventually, test, type TestContext } from "../harness.ts";

/** The schema that the frozen store was written for. */
const FORMER = 2;

async function open(t: TestContext, version = SCHEMA_VERSION) {
  const db = await database();
  t.after(() => db.drop());
  const connectTo = () => {
    const sql = connect(db.url, { max: 4 });
    t.after(() => sql.end({ timeout: 1 }));
    return sql;
  };
  const sql = connectTo();
  const migrating = connect(db.url, { max: 1 });
  await migrating.unsafe(await migrationsUpTo(version));
  await migrating.end({ timeout: 1 });
  const former = new FormerStore(connectTo()) as unknown as Store;
  return { url: db.url, sql, connectTo, former, store: new PostgresStore(connectTo()) };
}

/** The SQL of the first migrations. */
async function migrationsUpTo(version: number): Promise<string> {
  const text = await migrationSql();
  const next = text.indexOf(`\n-- ${String(version + 1).padStart(4, "0")}_`);
  return next < 0 ? text : `${text.slice(0, next)}\ncommit;`;
}

// ---- the former code on the present schema

test("every migration works with the former code", async (t) => {
  const { sql } = await open(t);
  const needs = await sql`select name from dispatcher.migration where works_with > ${FORMER}`;
  assert.deepEqual([...needs], []);
});

/** Both at work on one database, one as the elder brother. */
async function both(t: TestContext) {
  const { former, store, sql } = await open(t);
  const [old, young] = [await join(former, "old"), await join(store, "new")];
  return { former, store, sql, old, young };
}

test("the former code runs nothing that asks for resources, whatever it writes", async (t) => {
  const { former, store, sql, old, young } = await both(t);
  const asks = { resources: { gpu: 1 }, maxAttempts: 3 };
  const [now, later] = [await publish(former, asks), await publish(store, { ...asks, delay: 60 })];
  await sql`update dispatcher.envelope set due_at = clock_timestamp() where uuid = ${later.uuid}`;
  await former.stage(10);
  const take = async () => {
    assert.deepEqual(await claim(former, old), []);
    return await store.claimAsking("new", young.instance, [now.uuid, later.uuid]);
  };
  const claimed = await take();
  assert.equal(claimed.length, 2);
  await finish(former, young, claimed[0], { outcome: "released" });
  await finish(former, young, claimed[1], { outcome: "retry", delay: 0 });
  await former.stage(10);
  assert.equal((await take()).length, 2);
  await lapse(store, young);
  assert.equal((await former.rescue()).rescued, 2);
  assert.deepEqual(await claim(former, old), []);
  assert.equal((await store.contenders(["default"], 9)).length, 2);
});

for (const direction of ["former to present", "present to former"] as const) {
  const pick = <T>(former: T, present: T): [T, T] =>
    direction === "former to present" ? [former, present] : [present, former];

  test(`${direction}: what one publishes the other claims, progresses and settles`, async (t) => {
    const { former, store, old, young } = await both(t);
    const [[from, to], [, node]] = [pick(former, store), pick(old, young)];
    const options = { kwargs: { k: 1 }, timeout: 3, maxAttempts: 3, priority: 1, guid: "g" };
    const { uuid } = await publish(from, options, ["é\u0000"]);
    const [claimed] = await claim(to, node);
    assert.deepEqual([claimed.uuid, claimed.args, claimed.maxAttempts], [uuid, '["é\\u0000"]', 3]);
    assert.equal(await to.progress(node.instance, claimed, '"half"'), true);
    await finish(to, node, claimed, { outcome: "retry", delay: 0 });
    await from.stage(10);
    const [again] = await claim(to, node);
    assert.deepEqual([again.uuid, again.fence, again.attempt], [uuid, 2, 2]);
    await finish(to, node, again, { result: "7" });
    const { state, result } = await row(from, uuid);
    assert.deepEqual([state, result], ["completed", 7]);
    assert.equal((await from.outcomes([uuid])).get(uuid)?.state, "completed");
  });

  test(`${direction}: what one runs the other cancels, and what one left the other rescues`, async (t) => {
    const { former, store, old, young } = await both(t);
    const [[from, to], [mine, theirs]] = [pick(former, store), pick(old, young)];
    const { uuid } = await publish(from);
    const [claimed] = await claim(to, theirs);
    assert.equal((await from.cancel([uuid]))[0].did, "requested");
    assert.deepEqual((await beat(to, theirs)).cancels, [uuid]);
    await finish(to, theirs, claimed, { outcome: "cancelled" });
    assert.equal((await row(from, uuid)).state, "cancelled");

    const lost = await publish(from);
    const [held] = await claim(to, theirs);
    await lapse(to, theirs);
    assert.equal((await from.rescue()).rescued, 1);
    assert.deepEqual(await settle(to, theirs, settlement(held)), [], "the late one is fenced off");
    const [again] = await claim(from, mine);
    assert.deepEqual([again.uuid, again.fence], [lost.uuid, 2]);
    await finish(from, mine, again);
    assert.equal((await row(to, lost.uuid)).state, "completed");
  });

  test(`${direction}: broadcasts, duplicates and messages of the wire pass between them`, async (t) => {
    const { former, store, old, young } = await both(t);
    const [[from, to], [mine, theirs]] = [pick(former, store), pick(old, young)];
    const cast = await publish(from, { queue: "broadcast" });
    for (const [who, node] of [[from, mine], [to, theirs]] as const) {
      assert.equal((await beat(who, node)).broadcasts, true);
      assert.equal(await who.deliver(node.name), 1);
      const [copy] = await claim(who, node, { queues: [node.name] });
      assert.equal(copy.uuid, copyUuid(cast.uuid, node.name));
      await finish(who, node, copy);
    }
    const head = await publish(from, { onDuplicate: "discard" }, [1]);
    const [dropped] = await to.publish([seal("examples/add", [1], { onDuplicate: "discard" })]);
    assert.deepEqual(dropped, { isNew: false, duplicateOf: head.uuid });
    const [behind] = await to.publish([seal("examples/add", [1], { onDuplicate: "serial" })]);
    assert.equal(behind.isNew, true);
    await finish(to, theirs, (await claim(to, theirs))[0]);
    assert.deepEqual((await from.stage(10)).queues, ["default"]);
    assert.equal((await claim(from, mine)).length, 1);

    const heard = [{ envelope: seal("a", []), everyNode: false, anonymous: false }];
    const taken = await Promise.all([from.adopt(mine.name, heard), to.adopt(theirs.name, heard)]);
    assert.equal(taken[0] + taken[1], 1);
  });
}

test("three hundred envelopes are claimed and settled once each by both at once", async (t) => {
  const { former, store, old, young } = await both(t);
  const batches = [former, store].map((one) =>
    one.publish(Array.from({ length: 150 }, (_, i) => seal("t", [i])))
  );
  await Promise.all(batches);
  const settled: string[] = [];
  const work = async (one: Store, node: typeof old) => {
    for (let idle = 0; idle < 3;) {
      const claimed = await claim(one, node, { limit: 7 });
      assert.ok(claimed.every(({ fence }) => fence === 1));
      settled.push(...await settle(one, node, ...claimed.map((each) => settlement(each))));
      idle = claimed.length === 0 ? idle + 1 : 0;
    }
  };
  await Promise.all([work(former, old), work(store, young), work(former, old), work(store, young)]);
  assert.deepEqual([settled.length, new Set(settled).size], [300, 300]);
});

// ---- migrating what is in use

/** A row in each state, and what is in the small tables; their uuids by state. */
async function furnish(sql: Sql): Promise<Record<string, string>> {
  const uuids: Record<string, string> = {};
  for (const state of ["available", "scheduled", "retryable", "running"]) {
    const [{ uuid }] = await sql`select dispatcher.publish('t', '["x"]', '{"k":1}') uuid`;
    await sql`update dispatcher.envelope set state = ${state}, attempt = 1, fence = 1 where uuid = ${uuid}`;
    uuids[state] = uuid;
  }
  await sql`update dispatcher.envelope set due_at = now() + interval '1 hour' where state in ('scheduled', 'retryable')`;
  await sql`insert into dispatcher.node (name, instance, runtime, version, host, pid, boot, state, min_slots,
    max_slots, queues, lease_until) values ('n', ${crypto.randomUUID()}, 'node', '0', 'h', 1, 'b', 'running', 1, 4,
    '{default,n}', now() + interval '1 hour')`;
  await sql`update dispatcher.envelope e set node = n.name, instance = n.instance, claimed_at = now()
    from dispatcher.node n where e.state = 'running'`;
  for (const state of ["completed", "cancelled", "discarded"]) {
    const uuid = uuids[state] = crypto.randomUUID();
    await sql`insert into dispatcher.archive (uuid, queue, task, args, kwargs, options, state, priority, attempt,
      created_at, finished_at, attempts, result) values (${uuid}, 'default', 't', '[]', '{}', '{}', ${state}, 0, 1,
      now(), now(), '{}', '7')`;
  }
  await sql`select dispatcher.broadcast('t')`;
  return uuids;
}

/** Publish and claim again and again, on sessions that fail when they wait for a lock longer than the bound. */
function traffic(sql: Sql) {
  const bounded = "set local lock_timeout = '10s';";
  let [running, rounds] = [true, 0];
  const loop = async () => {
    for (; running; rounds++) {
      await sql.unsafe(`${bounded} select dispatcher.publish('loop')`);
      await sql.unsafe(`${bounded} update dispatcher.envelope set state = 'running', attempt = attempt + 1,
        fence = fence + 1 where uuid in (select uuid from dispatcher.envelope
          where queue = 'default' and state = 'available' and task = 'loop' limit 1 for update skip locked)`);
    }
    return rounds;
  };
  const loops = Promise.all([loop(), loop()]);
  return {
    rounds: () => rounds,
    async end() {
      running = false;
      await loops;
    },
  };
}

for (const version of [1, 2]) {
  test(`migrate() from version ${version} keeps what is there, while others publish and claim`, async (t) => {
    const { sql, connectTo, store } = await open(t, version);
    const uuids = await furnish(sql);
    const busy = traffic(connectTo());
    assert.equal((await schemaStatus(sql)).version, version);
    assert.equal((await migrate(sql)).length, SCHEMA_VERSION - version);
    await busy.end();
    assert.ok(busy.rounds() > 0);
    for (const [state, uuid] of Object.entries(uuids)) {
      const found = await row(store, uuid);
      assert.equal(found.state, state);
      if (["completed", "cancelled", "discarded"].includes(state)) assert.equal(found.result, 7);
      else assert.deepEqual([found.args, found.kwargs, found.attempt], [["x"], { k: 1 }, 1]);
    }
    assert.equal((await store.nodes())[0].name, "n");
    assert.equal((await sql`select from dispatcher.broadcast`).length, 1);
    // And it works on: what was running is rescued when its node is gone.
    await sql`update dispatcher.node set lease_until = now() - interval '1 second'`;
    assert.equal((await store.rescue()).rescued >= 1, true);
    assert.equal((await row(store, uuids.running)).state, "available");
  });
}

test("what is claimed while 0019 waits for its lock is found, whatever isolation the database has by default", async (t) => {
  const { url, sql, connectTo, former, store } = await open(t, 18);
  const node = await join(former, "n");
  await former.publish(Array.from({ length: 5 }, () => seal("t", [])));
  const claiming = connectTo();
  // The client never reserves a connection that it has yet to make.
  await claiming.unsafe("select 1");
  const held = await claiming.reserve();
  await held.unsafe(
    `begin; update dispatcher.envelope set state = 'running', attempt = 1, fence = 1, node = 'n',
    instance = '${node.instance}', claimed_at = now()`,
  );
  await sql.unsafe(
    `alter database "${
      new URL(url).pathname.slice(1)
    }" set default_transaction_isolation = 'repeatable read'`,
  );
  const migrated = migrate(connectTo());
  const waiting = `select from pg_locks where not granted and relation = 'dispatcher.envelope'::regclass`;
  while ((await sql.unsafe(waiting)).length === 0);
  await held.unsafe("commit");
  held.release();
  await migrated;
  await lapse(store, node);
  assert.equal((await store.rescue()).rescued, 5);
});

test("migrate() does not make others wait behind a long reader, says so, and goes on when it is over", async (t) => {
  const { sql, connectTo } = await open(t, 1);
  const [reader, others] = [connectTo(), connectTo()];
  // The client never reserves a connection that it has yet to make.
  await reader.unsafe("select 1");
  const held = await reader.reserve();
  await held.unsafe("begin");
  await held.unsafe("select from dispatcher.envelope, dispatcher.node, dispatcher.archive limit 1");
  const busy = traffic(others);
  const said: string[] = [];
  const waits = Promise.withResolvers<void>();
  const migrated = migrate(sql, (text) => {
    said.push(text);
    if (said.length >= 2) waits.resolve();
  });
  await Promise.race([waits.promise, migrated]);
  const rounds = busy.rounds();
  assert.ok(rounds > 0, "others went on");
  assert.equal((await schemaStatus(others)).version, 1);
  await held.unsafe("commit");
  held.release();
  assert.equal((await migrated).length, SCHEMA_VERSION - 1);
  await busy.end();
  assert.match(
    said[0],
    /^Cannot apply "0002_duplicates_and_schedules": what it changes is in use \(.*lock timeout/,
  );
});

test("what a node of this release ticks by itself is not taken for that of a former one of its name", async (t) => {
  const { former, store } = await open(t);
  const rhythm = { every: 5, cron: null, timezone: null, catch_up: "one", enabled: true } as const;
  const young = await join(store, "n", {
    schedules: [{ name: "s", task: "t", args: [], options: {}, ...rhythm }],
  });
  assert.deepEqual((await store.schedules()).map(({ nodes }) => nodes), [["n"]]);
  assert.equal((await former.schedules()).length, 0, "the former release sees the cluster's");
  await store.unregister(young.instance);
  await join(former, "n");
  assert.deepEqual(await store.schedules(), []);
});

test("where a node of the former code has taken over a name, long calls are written whole", async (t) => {
  const { sql, former, store } = await open(t);
  const young = await join(store, "n");
  await store.unregister(young.instance);
  const old = await join(former, "n");
  const { uuid, args } = await publish(store, {}, ["x".repeat(10_000)]);
  assert.equal((await sql`select from dispatcher.content`).length, 0);
  const [claimed] = await claim(former, old);
  assert.deepEqual([claimed.uuid, claimed.args], [uuid, args]);
});

test("where roles were applied, nodes can keep the days of content before they are applied again", async (t) => {
  const { sql: elsewhere } = await open(t);
  // The roles are the server's.
  await applyRoles(elsewhere);
  const { sql } = await open(t, 17);
  for (const name of ["create_partitions(int)", "drop_partition(text)"]) {
    await sql.unsafe(
      `alter function dispatcher.${name} security definer set search_path = pg_catalog, pg_temp;
      revoke execute on function dispatcher.${name} from public;
      grant execute on function dispatcher.${name} to dispatcher_node`,
    );
  }
  await migrate(sql);
  const rights =
    await sql`select proname, prosecdef, has_function_privilege('dispatcher_node', oid, 'execute') node,
      has_function_privilege('dispatcher_publisher', oid, 'execute') publisher
    from pg_proc where pronamespace = 'dispatcher'::regnamespace and proname ~ '_(partitions?|contents?)$' order by 1`;
  assert.deepEqual(
    rights.map((row) => [row.proname, row.prosecdef, row.node, row.publisher]),
    ["create_contents", "create_partitions", "drop_content", "drop_partition"].map((
      name,
    ) => [name, true, true, false]),
  );
});

test("indexes are filled from migration 25 on although somebody drops a day of the archive meanwhile", async (t) => {
  const { sql, connectTo } = await open(t, 24);
  await sql`create table dispatcher.archive_20200101 partition of dispatcher.archive
    for values from ('2020-01-01') to ('2020-01-02')`;
  let migrating: Promise<string[]> | undefined;
  await connectTo().begin(async (tx) => {
    await tx`select dispatcher.drop_partition('archive_20200101')`;
    migrating = migrate(sql);
    // Not at once: it comes to it while that is undecided, and goes on when it is done.
    await eventually(async () => {
      const waiting = await sql`select from pg_stat_activity
        where datname = current_database() and wait_event_type = 'Lock'`;
      assert.equal(waiting.length, 1);
    });
  });
  assert.ok((await migrating!).includes("0025_full_pages"));
  const left = await sql`select from pg_class where relname ~ '^archive_.*_idx1?$' and reloptions is null`;
  assert.equal(left.length, 0);
});
