import assert from "node:assert/strict";
import type { OnStart } from "../../runtime/config.ts";
import { ready } from "../../runtime/connect.ts";
import { Events } from "../../runtime/events.ts";
import { scheduleSchema } from "../../runtime/schedule.ts";
import { Producers } from "../../runtime/service/producers.ts";
import { PostgresStore } from "../../runtime/store/postgres.ts";
import { registration } from "../conformance/make.ts";
import { FakeClock } from "../fake_clock.ts";
import { database, eventually, test, type TestContext } from "../harness.ts";

const START: OnStart[] = [
  { task: "on/node", args: [], kwargs: {}, scope: "node" },
  { task: "on/cluster", args: [], kwargs: {}, scope: "cluster" },
];

async function site(t: TestContext) {
  const db = await database();
  t.after(() => db.drop());
  const store = new PostgresStore(await ready(db.url, { max: 2 }));
  t.after(() => store.close());
  const clock = new FakeClock();
  const start = async (node: string, onStart: OnStart[], given: Record<string, unknown>[] = []) => {
    await store.register(registration(node));
    const schedules = Object.fromEntries(given.map((one, i) => [`s${i}`, scheduleSchema.parse(one)]));
    const parts = { node, store, clock, events: new Events(), schedules, onStart, wake() {} };
    const producers = new Producers(parts);
    t.after(() => producers.stop());
    const brought = await producers.start();
    return Object.assign(producers, { brought });
  };
  const rows = async () =>
    (await store.list({ limit: 100 })).map(({ task, queue }) => `${task} ${queue}`).sort();
  return { clock, start, rows, store };
}

test("Producers publish a schedule of scope node to the node's own queue, and one that is off never", async (t) => {
  const { clock, start, rows } = await site(t);
  const beat = { task: "examples/add", every: 5, scope: "node" };
  const producers = await start("n1", [], [beat, { ...beat, enabled: false }]);
  await eventually(() => clock.sleeping === 1);
  await clock.advance(1_000);
  assert.deepEqual(await rows(), []);
  await clock.advance(5_000);
  await eventually(async () => assert.deepEqual(await rows(), ["examples/add n1"]));
  await eventually(() => producers.status().s0.published_count === 1);
  // Whoever leads has nothing to look at.
  assert.equal(producers.brought, false);
});

test("Producers publish on_start of scope node on every node, of scope cluster on the first", async (t) => {
  const { start, rows } = await site(t);
  await start("n1", START);
  assert.deepEqual(await rows(), ["on/cluster n1", "on/node n1"]);
  await start("n2", START);
  assert.deepEqual(await rows(), ["on/cluster n1", "on/node n1", "on/node n2"]);
});

test("Producers keep the schedules of the cluster in the table, and do not tick them", async (t) => {
  const { start, rows, store, clock } = await site(t);
  const producers = await start("n1", [], [{ task: "examples/add", every: 1 }]);
  await clock.advance(5_000);
  assert.deepEqual([producers.services.length, await rows(), producers.brought], [0, [], true]);
  assert.deepEqual((await store.schedules()).map((row) => row.name), ["s0"]);
});
