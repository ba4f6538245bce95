import assert from "node:assert/strict";
import fc from "fast-check";
import { fits } from "../../runtime/resources.ts";
import { eventually, test } from "../harness.ts";
import { FakeNode, fakeTable, settled } from "./triage_rig.ts";

const GPU = { resources: { gpu: 1 } };

test("Triage claims what fits, beside what asks for nothing, and the next when one ends", async () => {
  const table = fakeTable();
  const jobs = [1, 2, 3].map(() => table.publish(GPU));
  const plain = table.publish();
  const node = new FakeNode(table, "n", 4, { gpu: 2 });
  await settled();
  assert.deepEqual(node.uuids().sort(), [jobs[0], jobs[1], plain].map(({ uuid }) => uuid).sort());
  node.end(node.running.find(({ claimed }) => claimed.uuid === jobs[0].uuid));
  await settled();
  assert.ok(node.uuids().includes(jobs[2].uuid));
});

test("Triage looks at nothing while nothing asks, and not again at what is not for its node", async () => {
  const table = fakeTable();
  table.publish();
  const node = new FakeNode(table, "n", 2, { gpu: 1 });
  await settled();
  assert.deepEqual([node.running.length, table.looks], [1, 0]);
  table.publish({ resources: { gpu: 2 } });
  node.dispatcher.wake();
  await settled();
  await table.clock.advance(60_000);
  assert.deepEqual([node.running.length, table.looks], [1, 1]);
});

test("Triage gives back what its task asks for, learns it, and asks the table no second time", async () => {
  const table = fakeTable();
  const [first, second] = [table.publish({ task: "heavy" }), table.publish({ task: "heavy" })];
  const node = new FakeNode(table, "n", 1, { gpu: 1 });
  await settled();
  assert.deepEqual(node.uuids(), [first.uuid]);
  // Its worker says that the task needs a gpu.
  node.end(node.running[0], {
    outcome: "released",
    text: null,
    worker: null,
    started: null,
    asks: { gpu: 1 },
  });
  await table.clock.advance(200);
  await settled();
  assert.deepEqual([first.demand, node.uuids()], [{ gpu: 1 }, [first.uuid]]);
  assert.deepEqual(node.woken, ["default"], "another node may have a gpu that is free");
  assert.deepEqual(JSON.parse(node.running[0].claimed.options).resources, { gpu: 1 });
  assert.deepEqual(node.triage.resources.used, { gpu: 1 });
  node.end();
  await table.clock.advance(200);
  await settled();
  assert.deepEqual([second.demand, second.fence, node.uuids()], [{ gpu: 1 }, 2, [second.uuid]]);
});

test("Triage holds what a thread that does not stop uses, until its process has ended", async () => {
  const table = fakeTable();
  const node = new FakeNode(table, "n", 2, { gpu: 1 });
  table.publish(GPU);
  node.dispatcher.wake();
  await settled();
  const next = table.publish(GPU);
  node.end(node.running[0], { lingers: 4711 });
  await table.clock.advance(10_000);
  assert.deepEqual([node.uuids(), node.triage.resources.used], [[], { gpu: 1 }]);
  node.triage.gone(4711);
  await table.clock.advance(2_000);
  await settled();
  assert.deepEqual(node.uuids(), [next.uuid]);
});

test("Triage holds room for what is large under a flood of what is small", async () => {
  const table = fakeTable();
  const node = new FakeNode(table, "n", 8, { cpu: 4 });
  for (let i = 0; i < 4; i++) table.publish({ resources: { cpu: 1 } });
  node.dispatcher.wake();
  await settled();
  const large = table.publish({ resources: { cpu: 4 } });
  let rounds = 0;
  while (!node.uuids().includes(large.uuid)) {
    assert.ok(++rounds < 40, "it starves");
    for (let i = 0; i < 4; i++) table.publish({ resources: { cpu: 1 } });
    if (node.running.length > 0) node.end();
    node.dispatcher.wake();
    await settled();
    await table.clock.advance(500);
    await settled();
  }
  assert.ok(rounds >= 10, `${rounds} rounds: what is small ran meanwhile`);
});

test("Triage stops one attempt three times at most", async () => {
  const table = fakeTable();
  const node = new FakeNode(table, "n", 1, {});
  const low = table.publish({ priority: 5, preemptible: true });
  let stopped = 0;
  for (let i = 0; i < 5; i++) {
    node.dispatcher.wake();
    await settled();
    assert.deepEqual(node.uuids(), [low.uuid]);
    const high = table.publish();
    node.dispatcher.wake();
    await settled();
    for (let s = 0; s < 30 && node.running[0].aborted === null; s++) {
      await table.clock.advance(100);
      await settled();
    }
    if (node.running[0].aborted === "Preempted") stopped++;
    node.end();
    await settled();
    if (low.state === "done") break;
    assert.deepEqual(node.uuids(), [high.uuid], "the urgent one is next");
    node.end();
    await settled();
  }
  assert.deepEqual([stopped, low.preempted, low.state], [3, 3, "done"]);
  assert.equal(table.preempts, 4, "and is asked no more");
  assert.equal(node.said.filter((name) => name === "preempted").length, 3);
});

test("Triage stops for a resource what waited for it could not use, though slots are free", async () => {
  const table = fakeTable();
  const node = new FakeNode(table, "n", 4, { gpu: 1 });
  const low = table.publish({ ...GPU, priority: 5, preemptible: true });
  node.dispatcher.wake();
  await settled();
  const high = table.publish(GPU);
  node.dispatcher.wake();
  await settled();
  assert.deepEqual([node.uuids(), node.running[0].aborted], [[low.uuid], null], "another node may have one");
  for (let i = 0; i < 25; i++) {
    await table.clock.advance(100);
    await settled();
  }
  assert.equal(node.running[0].aborted, "Preempted");
  node.end();
  await settled();
  assert.deepEqual(node.uuids(), [high.uuid]);
});

test("Triage gives up nothing of what it holds when it must not claim", async () => {
  const table = fakeTable();
  const node = new FakeNode(table, "n", 2, { gpu: 1 });
  table.publish(GPU);
  node.dispatcher.wake();
  await settled();
  node.dispatcher.pause();
  const next = table.publish(GPU);
  assert.deepEqual(node.triage.resources.used, { gpu: 1 });
  node.end();
  await table.clock.advance(5_000);
  assert.deepEqual(node.uuids(), []);
  node.dispatcher.resume();
  await table.clock.advance(200);
  await settled();
  assert.deepEqual(node.uuids(), [next.uuid]);
});

test("Triage whose answer was lost runs it all the same, once, and within what it offers", async () => {
  const table = fakeTable();
  table.lost.claimAsking = 1;
  const job = table.publish(GPU);
  const node = new FakeNode(table, "n", 2, { gpu: 1 });
  await settled();
  assert.deepEqual([job.state, node.uuids()], ["running", []]);
  await eventually(async () => {
    await table.clock.advance(200);
    assert.deepEqual(node.uuids(), [job.uuid]);
  }, { within: 5_000 });
  assert.equal(job.fence, 2);
});

test("Triage books nothing of a look that failed: what it claimed there is given back and runs", async () => {
  const table = fakeTable();
  const node = new FakeNode(table, "n", 100, { gpu: 1, cpu: 100 });
  table.publish({ ...GPU, priority: 5, preemptible: true });
  node.dispatcher.wake();
  await settled();
  table.publish(GPU);
  node.dispatcher.wake();
  table.lost.preempt = 1;
  // Each look claims what was published since; the last one also stops what gives way, and that answer is lost.
  for (let i = 0; i < 60 && table.lost.preempt > 0; i++) {
    table.publish({ resources: { cpu: 1 } });
    await table.clock.advance(100);
    await settled();
  }
  assert.equal(table.lost.preempt, 0);
  const runs = () => node.running.filter(({ claimed }) => claimed.options.includes("cpu")).length;
  await eventually(async () => {
    await table.clock.advance(200);
    assert.equal(runs(), table.rows.length - 2);
  }, { within: 5_000 });
  assert.equal(node.triage.resources.used.cpu, runs());
});

test("Triage has the lane that has waited run every other time, under a flood of what is more urgent", async () => {
  const table = fakeTable();
  const node = new FakeNode(table, "n", 1, {}, { ageing: 1 });
  const low = table.publish({ priority: 3 });
  for (let i = 0; i < 3; i++) table.publish();
  let rounds = 0;
  while (low.state === "waiting") {
    assert.ok(++rounds < 100, "it starves");
    table.publish();
    node.dispatcher.wake();
    await settled();
    node.end();
    await settled();
    await table.clock.advance(100);
  }
  // Three steps of a second, and what the first one of the flood has waited meanwhile.
  assert.ok(rounds >= 30 && rounds < 60, `${rounds} rounds of 0.1 s`);
});

// ---- whatever comes

const demands = fc.option(
  fc.record({ cpu: fc.integer({ min: 0, max: 4 }), gpu: fc.integer({ min: 0, max: 2 }) }),
  { freq: 4, nil: undefined },
);
const step = fc.oneof(
  {
    weight: 3,
    arbitrary: fc.record({
      do: fc.constant("publish" as const),
      resources: demands,
      priority: fc.nat(3),
      preemptible: fc.boolean(),
    }),
  },
  { weight: 3, arbitrary: fc.record({ do: fc.constant("end" as const), node: fc.nat(1), which: fc.nat(7) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("pass" as const), ms: fc.nat(3_000) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("drain" as const), node: fc.nat(1) }) },
);

test("Triage of two nodes: never more than they offer, and nothing is stuck", async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 5, maxLength: 40 }), async (steps) => {
      const table = fakeTable();
      const nodes = [
        new FakeNode(table, "a", 3, { cpu: 4 }),
        new FakeNode(table, "b", 3, { cpu: 2, gpu: 2 }),
      ];
      const check = async () => {
        await settled();
        for (const { used, offers } of nodes) {
          assert.ok(fits(used, offers), `${JSON.stringify(used)} of ${JSON.stringify(offers)}`);
        }
        for (const row of table.rows) {
          const places = nodes.filter((node) => node.uuids().includes(row.uuid)).length;
          assert.ok(places <= 1, "it runs twice");
        }
      };
      for (const one of steps) {
        if (one.do === "publish") {
          table.publish(one);
          for (const node of nodes) node.dispatcher.wake();
        } else if (one.do === "end") {
          const { running } = nodes[one.node];
          if (running.length > 0) nodes[one.node].end(running[one.which % running.length]);
        } else if (one.do === "drain") {
          nodes[one.node].dispatcher.pause();
          await check();
          nodes[one.node].dispatcher.resume();
        } else await table.clock.advance(one.ms);
        await check();
      }
      const possible = () =>
        table.rows.filter(({ state, demand }) =>
          state !== "done" && nodes.some(({ offers }) => fits(demand ?? {}, offers))
        );
      for (let round = 0; possible().length > 0; round++) {
        assert.ok(round < 200, `${possible().length} are stuck`);
        for (const node of nodes) if (node.running.length > 0) node.end();
        await check();
        await table.clock.advance(1_500);
        await check();
      }
      for (const { triage } of nodes) {
        assert.ok(fits(triage.resources.used, {}), "nothing is held at the end");
      }
    }),
    { numRuns: 40 },
  );
});
