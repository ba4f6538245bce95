import assert from "node:assert/strict";
import { OwnSettlements } from "../../runtime/dispatch/own_settlements.ts";
import { claimed, finished } from "../conformance/make.ts";
import { test } from "../harness.ts";
import { idle, rig } from "./rig.ts";

const failed = (one: ReturnType<typeof claimed>) => {
  return finished({ claimed: one, outcome: "failed", text: '{"name":"HostDied","message":"x"}' });
};

test("endOf() leaves alone what did not settle itself, or was rolled back", () => {
  const own = new OwnSettlements();
  const end = failed(claimed());
  assert.equal(own.endOf(end), end);
  own.settling(end.claimed, true);
  own.settling(end.claimed, false);
  assert.equal(own.endOf(end), end);
});

test("endOf() makes completed whatever ends after its commit, and doubts what ends in it", () => {
  const own = new OwnSettlements();
  const end = failed(claimed());
  own.settling(end.claimed, true);
  assert.deepEqual(own.endOf(end), { ...end, doubtful: true });
  own.settled(end.claimed, "7");
  const { outcome, text, settled } = own.endOf(end);
  assert.deepEqual([outcome, text, settled], ["completed", "7", true]);
});

test("the dispatcher settles nothing again, and tells who waits at the commit", async () => {
  const { dispatcher, store, pool, announced, start, finish } = rig(1, 1);
  start();
  await idle();
  const [one] = pool.held;
  Object.assign(one, { options: '{"watch":true}', keyed: true });
  dispatcher.committed(one);
  assert.deepEqual(announced, [[[one.uuid], [], true]]);
  finish(one, { settled: true });
  await idle();
  assert.deepEqual(store.outcomes(), []);
  assert.ok(dispatcher.settledAll);
});

test("a doubtful settling that finds nothing is no alarm, and who waits is told", async () => {
  const { store, pool, announced, start, finish, said } = rig(2, 2);
  start();
  await idle();
  const [doubtful, stale] = pool.held;
  for (const one of [doubtful, stale]) {
    one.options = '{"watch":true}';
    store.stale.add(one.uuid);
    finish(one, { doubtful: one === doubtful });
  }
  await idle();
  assert.deepEqual(said(), ["settle.stale"]);
  assert.deepEqual(announced, [[[doubtful.uuid], [], false]]);
});
