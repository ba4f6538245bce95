import assert from "node:assert/strict";
import { Pending } from "../../runtime/dispatch/pending.ts";
import { claimed, settlement } from "../conformance/make.ts";
import { test } from "../harness.ts";

const MIB = 2 ** 20;
const text = "x".repeat(MIB);

const small = () => settlement(claimed());
/** One whose result has a mebibyte. */
const large = () => settlement(claimed(), { result: text });

/** So many of them. */
function open(count: number, make: () => ReturnType<typeof small>) {
  const pending = new Pending();
  const list = Array.from({ length: count }, make);
  for (const one of list) pending.push(one);
  return { pending, list };
}

test("Pending gives a thousand to a statement, the oldest first", () => {
  const { pending, list } = open(2_100, small);
  assert.deepEqual(pending.take(), list.slice(0, 1_000));
  assert.deepEqual(pending.take(), list.slice(1_000, 2_000));
  assert.deepEqual(pending.take(), list.slice(2_000));
  assert.deepEqual(pending.take(), []);
});

test("Pending gives 16 MiB to a statement, whatever they are of", () => {
  const { pending, list } = open(40, large);
  assert.deepEqual([pending.take().length, pending.take().length, pending.take().length], [16, 16, 8]);
  assert.equal(pending.length, 0);
  for (const name of ["error", "record", "progress"] as const) {
    for (const one of list) pending.push({ ...one, result: null, [name]: text });
    assert.equal(pending.take().length, 16, name);
    pending.clear();
  }
});

test("Pending gives one that is larger than that by itself", () => {
  const pending = new Pending();
  const huge = settlement(claimed(), { result: text.repeat(20) });
  for (const one of [huge, large(), large()]) pending.push(one);
  assert.deepEqual(pending.take(), [huge]);
  assert.equal(pending.take().length, 2);
});

test("Pending knows when they are worth a statement, and when they are too many", () => {
  const states = (pending: Pending) => [pending.areWorthwhile, pending.areMany, pending.areLarge];
  const of = (count: number, make: () => ReturnType<typeof small>) => states(open(count, make).pending);
  assert.deepEqual([of(799, small), of(800, small)], [[false, false, false], [true, false, false]]);
  assert.deepEqual([of(1_999, small), of(2_000, small)], [[true, false, false], [true, true, false]]);
  assert.deepEqual([of(15, large), of(16, large)], [[false, false, false], [true, false, false]]);
  assert.deepEqual([of(63, large), of(64, large)], [[true, false, false], [true, true, true]]);
});

test("Pending counts what is put back, and forgets what is taken or no longer ours", () => {
  const { pending, list } = open(64, large);
  const taken = pending.take();
  assert.equal(pending.areLarge, false);
  pending.putBack(taken);
  assert.equal(pending.areLarge, true);
  assert.deepEqual(pending.all(), list);
  pending.clear();
  assert.deepEqual([pending.length, pending.areWorthwhile, pending.areLarge], [0, false, false]);
});

test("Pending knows whether one of them is urgent: its publisher waits, another is next, or it goes to another node", () => {
  for (const one of [{ watch: true }, { keyed: true }, { outcome: "released" as const }]) {
    const { pending } = open(3, small);
    assert.equal(pending.areUrgent, false);
    pending.push({ ...small(), ...one });
    assert.equal(pending.areUrgent, true);
    const taken = pending.take();
    assert.equal(pending.areUrgent, false);
    pending.putBack(taken);
    assert.equal(pending.areUrgent, true);
    pending.clear();
    assert.equal(pending.areUrgent, false);
  }
});
