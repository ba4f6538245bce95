import assert from "node:assert/strict";
import { seal, type Sealed } from "../../../runtime/envelope.ts";
import { uuid7 } from "../../../runtime/uuid.ts";
import { eventually } from "../../harness.ts";
import { settlement } from "../make.ts";
import {
  claim,
  finish,
  HOSTILE,
  join,
  publish,
  publishMany,
  put,
  row,
  running,
  settle,
  type StoreTest,
} from "./moves.ts";

export function publishing(test: StoreTest): void {
  test("publish() writes envelopes in their order", async (store) => {
    const node = await join(store, "n");
    const uuids = [...await publishMany(store, 60), ...await publishMany(store, 60)];
    const claimed = await claim(store, node, { limit: 200 });
    assert.deepEqual(claimed.map((one) => one.uuid), uuids);
  });

  test("publish() keeps every field", async (store) => {
    const options = {
      kwargs: { b: [2] },
      queue: "mail",
      timeout: 2.5,
      priority: -7,
      maxAttempts: 4,
      guid: "g",
    };
    const { uuid, timePub } = await publish(store, options, [1, "zwei"]);
    const { created_at, ...kept } = await row(store, uuid);
    assert.match(created_at, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
    assert.deepEqual(kept, {
      uuid,
      origin: null,
      queue: "mail",
      task: "examples/add",
      args: [1, "zwei"],
      kwargs: { b: [2] },
      options: { guid: "g" },
      state: "available",
      priority: -7,
      attempt: 0,
      max_attempts: 4,
      timeout: 2.5,
      time_pub: timePub,
      due_at: null,
      node: null,
      claimed_at: null,
      finished_at: null,
      cancel_at: null,
      progress: null,
      result: null,
      error: null,
      attempts: [],
    });
  });

  test("publish() of nothing does nothing", async (store) => {
    assert.deepEqual(await put(store), []);
  });

  test("publish() of a thousand at once", async (store) => {
    await publishMany(store, 1_000);
    assert.equal(await store.waiting(["default"]), 1_000);
  });

  test("publish() carries hostile texts byte for byte to the one who claims", async (store) => {
    const node = await join(store, "n");
    // deno-lint-ignore no-control-regex
    const names = HOSTILE.filter((text) => text.trim() !== "" && !/[\u0000-\u001f\ud800-\udfff]/.test(text));
    const batch = [
      seal("a", [...HOSTILE], { kwargs: Object.fromEntries(HOSTILE.map((text) => [text, text])) }),
      ...HOSTILE.map((text) => seal("a", [text], { guid: text, kwargs: { k: { deep: [text] } } })),
      ...names.map((name) => seal(name, [name])),
      seal("a", [1e21, 1e-7, -0.1, 9007199254740991, true, null, {}, [], [[]]]),
    ];
    assert.ok((await put(store, ...batch)).every(Boolean));
    const fields = ({ uuid, task, args, kwargs, options }: Sealed) => ({ uuid, task, args, kwargs, options });
    const claimed = await claim(store, node, { limit: 500 });
    assert.deepEqual(claimed.map((one) => fields(one as unknown as Sealed)), batch.map(fields));
  });

  test("publish() carries hostile names of queues", async (store) => {
    const node = await join(store, "n");
    for (const queue of ["a'b", 'a"b', "a\\b", "{a,b}", "NULL", "é€😀", " x", "$1", "%"]) {
      const { uuid } = await publish(store, { queue });
      const claimed = await claim(store, node, { queues: [queue] });
      assert.deepEqual(claimed.map((one) => [one.uuid, one.queue]), [[uuid, queue]]);
    }
  });

  test("publish() carries 7,999, 8,000 and 8,001 bytes and a megabyte as they are", async (store) => {
    const node = await join(store, "n");
    const sizes = [7_999, 8_000, 8_001, 1_048_576];
    const batch = sizes.map((size) => seal("a", ["x".repeat(size - 4)]));
    await store.publish(batch);
    const claimed = await claim(store, node);
    assert.deepEqual(claimed.map((one) => one.args.length), sizes);
    assert.deepEqual(claimed.map((one) => one.args), batch.map((one) => one.args));
  });

  scheduling(test);
  knowing(test);
  broadcasting(test);
}

function scheduling(test: StoreTest): void {
  test("publish() schedules what is to run later", async (store) => {
    const { uuid } = await publish(store, { delay: 3_600 });
    const { state, due_at, created_at } = await row(store, uuid);
    assert.equal(state, "scheduled");
    const wait = Date.parse(due_at!) - Date.parse(created_at);
    assert.ok(Math.abs(wait - 3_600_000) < 1_000, `${wait} ms`);
  });

  test("publish() schedules for a time, which goes before a delay", async (store) => {
    const at = new Date(Date.now() + 7_200_000);
    const { uuid } = await publish(store, { at, delay: 1 });
    const { state, due_at } = await row(store, uuid);
    assert.deepEqual([state, due_at], ["scheduled", at.toISOString()]);
  });

  test("publish() makes available at once what is due already", async (store) => {
    for (const options of [{ at: "2001-01-01T00:00:00Z" }, { delay: 0 }, { at: new Date(0) }]) {
      const { state, due_at } = await row(store, (await publish(store, options)).uuid);
      assert.deepEqual([state, due_at], ["available", null], JSON.stringify(options));
    }
  });

  test("publish() takes the longest delay that an envelope may have, and list() shows it", async (store) => {
    const { uuid } = await publish(store, { delay: 3_155_760_000 });
    assert.match((await row(store, uuid)).due_at!, /^21\d\d-/);
    const far = await publish(store, { at: "9999-12-31T23:59:59Z" });
    assert.equal((await row(store, far.uuid)).due_at, "9999-12-31T23:59:59.000Z");
  });
}

function knowing(test: StoreTest): void {
  test("publish() of a uuid that waits or runs says that it is known, and changes nothing", async (store) => {
    const node = await join(store, "n");
    const { uuid } = await publish(store, { uuid: uuid7(), priority: 3 }, ["first"]);
    const again = () => put(store, seal("other", ["second"], { uuid, queue: "elsewhere", delay: 60 }));
    const before = await row(store, uuid);
    assert.deepEqual(await again(), [false]);
    assert.deepEqual(await row(store, uuid), before);
    await claim(store, node);
    assert.deepEqual(await again(), [false]);
    const { state, task, args, attempt } = await row(store, uuid);
    assert.deepEqual([state, task, args, attempt], ["running", "examples/add", ["first"], 1]);
  });

  test("publish() of a batch of which one was written before writes the others", async (store) => {
    const [first, second] = ["first", "second"].map((arg) => seal("examples/add", [arg]));
    const news = async (batch: Sealed[]) => (await store.publish(batch)).map(({ isNew }) => isNew);
    assert.deepEqual(await news([first]), [true]);
    assert.deepEqual(await news([second, first]), [true, false]);
    assert.deepEqual((await row(store, second.uuid)).args, ["second"]);
  });

  test("publish() of a uuid that is final says that it is known, and runs nothing", async (store) => {
    const node = await join(store, "n");
    for (const outcome of ["completed", "cancelled", "discarded"] as const) {
      const claimed = await running(store, node);
      await finish(store, node, claimed, { outcome });
      assert.deepEqual(await put(store, seal("a", [], { uuid: claimed.uuid })), [false]);
      assert.equal((await row(store, claimed.uuid)).state, outcome);
      assert.deepEqual(await claim(store, node), []);
    }
  });

  test("publish() knows the second of two equal uuids in one batch", async (store) => {
    const [a, b] = [uuid7(), uuid7()];
    const batch = [a, b, a, b, a].map((uuid, i) => seal("a", [i], { uuid }));
    assert.deepEqual(await put(store, ...batch), [true, true, false, false, false]);
    assert.deepEqual([(await row(store, a)).args, (await row(store, b)).args], [[0], [1]]);
  });

  test("publish() answers in the order of a batch of all kinds", async (store) => {
    const [known, cast, mine] = [uuid7(), uuid7(), uuid7()];
    await store.publish([seal("a", [], { uuid: known }), seal("a", [], { uuid: cast, queue: "broadcast" })]);
    const batch = [
      seal("a", []),
      seal("a", [], { uuid: known }),
      seal("a", [], { queue: "broadcast" }),
      seal("a", [], { uuid: mine }),
      seal("a", [], { uuid: cast, queue: "broadcast" }),
      seal("a", [], { uuid: mine }),
    ];
    assert.deepEqual(await put(store, ...batch), [true, false, true, true, false, false]);
  });

  test("publish() of one uuid by many at once is true for one of them", async (store) => {
    const uuids = Array.from({ length: 20 }, () => uuid7());
    const calls = Array.from(
      { length: 10 },
      (_, i) => put(store, ...uuids.map((uuid) => seal("a", [i], { uuid }))),
    );
    const answers = await Promise.all(calls);
    uuids.forEach((_, i) => assert.equal(answers.filter((answer) => answer[i]).length, 1));
    assert.equal(await store.waiting(["default"]), 20);
  });

  test("publish() of a uuid that is just being settled never runs it again", async (store) => {
    const node = await join(store, "n");
    for (let round = 0; round < 10; round++) {
      await publishMany(store, 10);
      const claimed = await claim(store, node);
      const settled = claimed.map((one) => settle(store, node, settlement(one)));
      const known = claimed.map((one) => put(store, seal("a", [], { uuid: one.uuid })));
      await Promise.all(settled);
      for (const answer of await Promise.all(known)) assert.deepEqual(answer, [false]);
      assert.equal(await store.waiting(["default"]), 0);
      for (const { uuid } of claimed) assert.equal((await row(store, uuid)).state, "completed");
    }
  });
}

function broadcasting(test: StoreTest): void {
  test("publish() of a uuid that is a broadcast's says that it is known, and so the other way round", async (store) => {
    const node = await join(store, "n");
    const cast = uuid7();
    assert.deepEqual(await put(store, seal("a", [], { uuid: cast, queue: "broadcast" })), [true]);
    for (const onDuplicate of ["parallel", "serial"] as const) {
      assert.deepEqual(await put(store, seal("b", [], { uuid: cast, onDuplicate })), [false]);
    }
    assert.equal(await store.waiting(["default"]), 0);
    assert.equal(await store.deliver("n"), 1);
    const done = await running(store, node);
    await finish(store, node, done);
    const waits = await publish(store, { uuid: uuid7() });
    for (const { uuid } of [waits, done]) {
      assert.deepEqual(await put(store, seal("b", [], { uuid, queue: "broadcast" })), [false]);
    }
    assert.equal(await store.deliver("n"), 0);
    const both = uuid7();
    const twice = [seal("a", [], { uuid: both }), seal("b", [], { uuid: both, queue: "broadcast" })];
    assert.equal((await put(store, ...twice)).filter((isNew) => isNew).length, 1);
  });

  test("broadcasts() gives what is in the log, by the beginning of its uuid and by its time", async (store) => {
    const [now, later] = [uuid7(), uuid7()];
    await store.publish([
      seal("a", [1], { uuid: now, queue: "broadcast", kwargs: { k: 1 } }),
      seal("a", [], { uuid: later, queue: "broadcast", delay: 60 }),
      seal("a", [], { queue: "broadcast", ttl: 1e-3, uuid: "aaaabbbb-0000-7000-8000-000000000000" }),
    ]);
    const [one, ...more] = await store.broadcasts(now.toUpperCase(), 10);
    assert.deepEqual([one.uuid, one.queue, one.state, one.args, more.length], [
      now,
      "broadcast",
      "available",
      [1],
      0,
    ]);
    assert.deepEqual([one.kwargs, one.attempts, one.finished_at], [{ k: 1 }, [], null]);
    assert.equal((await store.broadcasts(later, 10))[0].state, "scheduled");
    await eventually(async () => {
      const [old] = await store.broadcasts("aaaabbbb", 10);
      assert.deepEqual([old.state, old.error?.name], ["discarded", "Expired"]);
    });
    assert.equal((await store.broadcasts("ffff", 10)).length, 0);
  });

  test("publish() puts a broadcast into the log and not into a queue", async (store) => {
    const { uuid } = await publish(store, { queue: "broadcast" });
    assert.equal((await store.list({ limit: 10 })).length, 0);
    assert.equal(await store.waiting(["broadcast"]), 0);
    assert.deepEqual(await put(store, seal("a", [], { uuid, queue: "broadcast" })), [false]);
  });
}
