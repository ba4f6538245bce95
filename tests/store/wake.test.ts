/** Who is told that there is work. */
import assert from "node:assert/strict";
import { seal } from "../../runtime/envelope.ts";
import { applyRoles } from "../../runtime/store/roles.ts";
import { settlement } from "../conformance/make.ts";
import { beat, claim, join, settle } from "../conformance/store/moves.ts";
import { eventually, test, type TestContext } from "../harness.ts";
import { migrated } from "./migrated.ts";

async function open(t: TestContext) {
  const { sql, store } = await migrated(t, 2);
  const heard: string[] = [];
  // What was said before is heard before: the last word of each look is one that is always passed on.
  const said = async (queues: string[]) => {
    heard.length = 0;
    await store.wake(queues);
    await store.wake([""]);
    await eventually(() => assert.equal(heard.at(-1), ""));
    return heard.slice(0, -1);
  };
  await sql.listen("dispatcher_wake", (payload) => heard.push(payload));
  return { sql, store, said };
}

test("wake() calls out the queues that a node serves, its own name among them, and no others", async (t) => {
  const { store, said } = await open(t);
  assert.deepEqual(await said(["default", "elsewhere"]), [], "nobody is there");
  await join(store, "n", { queues: ["default", "n"] });
  assert.deepEqual(await said(["default", "elsewhere", "n"]), ["default", "n"]);
});

test("wake() calls out broadcasts, and what is due at another time, whoever is there", async (t) => {
  const { said } = await open(t);
  assert.deepEqual(await said(["broadcast"]), ["broadcast"]);
});

test("wake() does not call nodes that drain or have left", async (t) => {
  const { store, said } = await open(t);
  const node = await join(store, "n", { queues: ["default"] });
  await beat(store, node, { state: "draining" });
  assert.deepEqual(await said(["default"]), []);
  await store.unregister(node.instance);
  assert.deepEqual(await said(["default"]), []);
});

test("wake() calls a node whose lease has lapsed and was not reclaimed: it may be late only", async (t) => {
  const { sql, store, said } = await open(t);
  await join(store, "n", { queues: ["default"] });
  await sql`update dispatcher.node set lease_until = now() - interval '1 second'`;
  assert.deepEqual(await said(["default"]), ["default"]);
});

test("wake() calls nobody while all that serve a queue keep vigil, and says for how long", async (t) => {
  const { sql, store, said } = await open(t);
  const [one, two] = [
    await join(store, "one", { queues: ["a", "b"] }),
    await join(store, "two", { queues: ["a"] }),
  ];
  await store.keepVigil(one.instance);
  assert.deepEqual(await said(["a", "b"]), ["a"], "the other one does not");
  assert.equal(await store.wake(["a", "b"]), 0);
  const quiet = await store.wake(["b"]);
  assert.ok(quiet > 0 && quiet <= 1_000, `${quiet} ms`);
  await store.keepVigil(two.instance);
  assert.deepEqual(await said(["a", "b"]), []);
  assert.ok(await store.wake(["a", "b"]) > 0);
  assert.equal(await store.wake(["a", "broadcast"]), 0, "of broadcasts each is told");
  assert.equal(await store.wake(["a", "elsewhere"]), 0, "somebody may come and serve it");
  await sql`update dispatcher.node set vigil_until = now() where name = 'two'`;
  assert.deepEqual(await said(["a", "b"]), ["a"]);
  await sql`update dispatcher.node set vigil_until = now() + interval '5 seconds' where name = 'two'`;
  assert.deepEqual(await said(["a", "b"]), ["a"], "nobody has said that: the clock has stepped back");
  await store.keepVigil(two.instance);
  assert.deepEqual(await said(["a", "b"]), []);
  await store.unregister(two.instance);
  await join(store, "two", { queues: ["a"] });
  assert.deepEqual(await said(["a", "b"]), ["a"], "who takes over the name has said nothing");
});

test("wake() does not count the vigil of who drains, and a node keeps none under another's name", async (t) => {
  const { store, said } = await open(t);
  const node = await join(store, "n", { queues: ["default"] });
  await store.keepVigil(node.instance);
  assert.deepEqual(await said(["default"]), []);
  await join(store, "m", { queues: ["default"] });
  await beat(store, node, { state: "draining" });
  await store.keepVigil(node.instance);
  assert.deepEqual(await said(["default"]), ["default"]);
});

test("wake() works for a publisher, who does not see nodes", async (t) => {
  const { sql, store } = await open(t);
  await join(store, "n", { queues: ["default"] });
  await applyRoles(sql);
  const heard: string[] = [];
  await sql.listen("dispatcher_wake", (payload) => heard.push(payload));
  for (const name of ["wake", "rouse"]) {
    await sql.unsafe(`set local role dispatcher_publisher; select dispatcher.${name}('{default}')`).simple();
  }
  await eventually(() => assert.deepEqual(heard, ["default", "default"]));
});

test("publish() wakes queues that are named to it, once what it wrote is committed", async (t) => {
  const { sql, store } = await open(t);
  await join(store, "n", { queues: ["default", "it's \\ one"] });
  const seen: [queue: string, waiting: number][] = [];
  await sql.listen("dispatcher_wake", async (queue) => void seen.push([queue, await store.waiting([queue])]));
  for (const queue of ["default", "it's \\ one"]) {
    for (let round = 1; round <= 3; round++) {
      await store.publish([seal("t", [round], { queue })], [queue]);
      await eventually(() => assert.deepEqual(seen.at(-1), [queue, round]));
    }
  }
  await store.publish([seal("t", [4])]);
  await store.publish([seal("t", [5])], [""]);
  await eventually(() => assert.equal(seen.at(-1)?.[0], ""));
  assert.equal(seen.length, 7, "of what names no queue nothing is said");
});

test("exchange() tells of what ended for whom somebody waits, and not of what is tried again", async (t) => {
  const { sql, store } = await open(t);
  const node = await join(store, "n", { queues: ["default"] });
  const told: string[] = [];
  await sql.listen("dispatcher_settled", (payload) => told.push(...payload.split(",")));
  const ended: string[] = [];
  for (const count of [1, 3, 500]) {
    await store.publish(Array.from({ length: count + 3 }, () => seal("t", [])));
    const claimed = await claim(store, node, { limit: count + 3 });
    const [silent, retried, released, ...watched] = claimed.map((one) => settlement(one, { watch: true }));
    silent.watch = false;
    Object.assign(retried, { outcome: "retry", delay: 3_600 });
    Object.assign(released, { outcome: "released", delay: 3_600 });
    await settle(store, node, silent, retried, released, ...watched);
    ended.push(...watched.map(({ uuid }) => uuid));
    await eventually(() => assert.deepEqual(told.toSorted(), ended.toSorted()));
  }
});
