import assert from "node:assert/strict";
import fc from "fast-check";
import {
  agedPriority,
  choose,
  inOrder,
  type Patience,
  type Victim,
  type View,
  type Waiting,
} from "../../runtime/dispatch/choice.ts";
import { fits, plus, type Resources } from "../../runtime/resources.ts";
import { test } from "../harness.ts";

const PATIENCE: Patience = { ageing: 0, reserve: 30, preempt: 1 };
let ids = 0;

function waits(demand: Resources | null, more: Partial<Waiting> = {}): Waiting {
  const id = ++ids;
  return { uuid: `w${id}`, demand, priority: 0, id, waited: 0, ...more };
}

function view(fields: Partial<View> = {}): View {
  const offer = fields.offer ?? { cpu: 4, gpu: 2 };
  return {
    offer,
    free: offer,
    slots: 4,
    coming: { free: {}, slots: 0 },
    waiting: [],
    victims: [],
    reserved: null,
    ...fields,
  };
}

const uuids = (all: readonly Waiting[]) => all.map(({ uuid }) => uuid);

test("choose() claims what fits, in order, and passes over what does not", () => {
  const [a, large, b, c] = [
    waits({ gpu: 1 }),
    waits({ cpu: 3, gpu: 2 }),
    waits({ gpu: 1 }),
    waits({ cpu: 4 }),
  ];
  const found = choose(view({ waiting: [a, large, b, c] }), PATIENCE);
  assert.deepEqual(uuids(found.claim), uuids([a, b, c]));
  assert.deepEqual([found.reserved, found.later, found.stop], [null, true, []]);
});

test("choose() leaves what asks for more than the node offers, and does not look again for it", () => {
  const found = choose(view({ waiting: [waits({ gpu: 3 }), waits({ tape: 1 })] }), PATIENCE);
  assert.deepEqual(found, { claim: [], next: [], reserved: null, stop: [], later: false });
});

test("choose() takes no more than there are slots, and holds the next for what fits", () => {
  const three = [waits({ cpu: 1 }), waits({ cpu: 1 }), waits({ cpu: 1 })];
  const found = choose(view({ waiting: three, slots: 2 }), PATIENCE);
  assert.deepEqual([uuids(found.claim), uuids(found.next)], [
    uuids(three.slice(0, 2)),
    uuids(three.slice(2)),
  ]);
});

test("choose() leaves slots to what asks for nothing and stands before", () => {
  const [plain, asking] = [waits(null), waits({ cpu: 1 })];
  const found = choose(view({ waiting: [plain, asking], slots: 1 }), PATIENCE);
  assert.deepEqual([found.claim, found.next], [[], []]);
  const urgent = waits({ cpu: 1 }, { priority: -1 });
  assert.deepEqual(uuids(choose(view({ waiting: [plain, urgent], slots: 1 }), PATIENCE).claim), [
    urgent.uuid,
  ]);
});

test("choose() holds room for what has waited for long: what comes behind takes none of it", () => {
  const large = waits({ cpu: 4 }, { waited: 31 });
  const [small, other] = [waits({ cpu: 1 }), waits({ gpu: 1 })];
  const found = choose(view({ free: { cpu: 3, gpu: 2 }, waiting: [large, small, other] }), PATIENCE);
  assert.equal(found.reserved, large.uuid);
  assert.deepEqual(uuids(found.claim), [other.uuid], "what it does not need is not held");
  const before = waits({ cpu: 1 }, { priority: -1 });
  const urgent = choose(view({ free: { cpu: 3, gpu: 2 }, waiting: [large, before] }), PATIENCE);
  assert.deepEqual(uuids(urgent.claim), [before.uuid], "what stands before it goes first");
});

test("choose() goes on holding room, and for one only", () => {
  const [first, second] = [waits({ cpu: 4 }), waits({ gpu: 2 }, { waited: 99 })];
  const busy = { free: { cpu: 3, gpu: 1 }, waiting: [first, second] };
  assert.equal(choose(view({ ...busy, reserved: first.uuid }), PATIENCE).reserved, first.uuid);
  assert.equal(choose(view(busy), PATIENCE).reserved, second.uuid);
});

test("choose() stops the least urgent, of those the one that began last, and as few as it takes", () => {
  const victims: Victim[] = [
    { key: "old", priority: 9, demand: { gpu: 1 }, since: 1 },
    { key: "new", priority: 9, demand: { gpu: 1 }, since: 2 },
    { key: "cpu", priority: 9, demand: { cpu: 4 }, since: 3 },
    { key: "equal", priority: 5, demand: { gpu: 1 }, since: 4 },
  ];
  const waiter = waits({ gpu: 1 }, { priority: 5, waited: 2 });
  const full = { free: { cpu: 0, gpu: 0 }, waiting: [waiter], victims };
  const found = choose(view(full), PATIENCE);
  assert.deepEqual([found.stop, found.reserved], [["new"], waiter.uuid]);
  const two = choose(view({ ...full, waiting: [{ ...waiter, demand: { gpu: 2 } }] }), PATIENCE);
  assert.deepEqual(two.stop.sort(), ["new", "old"]);
});

test("choose() stops nothing of equal or higher urgency, nothing in vain, nothing too early", () => {
  const victim = { key: "v", priority: 5, demand: { gpu: 1 }, since: 1 };
  const stopped = (waiter: Waiting, priority = 5) =>
    choose(
      view({ free: { cpu: 0, gpu: 0 }, waiting: [waiter], victims: [{ ...victim, priority }] }),
      PATIENCE,
    ).stop;
  const waiter = waits({ gpu: 1 }, { waited: 2 });
  assert.deepEqual(stopped(waiter), ["v"]);
  assert.deepEqual(stopped(waiter, 0), []);
  assert.deepEqual(stopped(waiter, -1), []);
  assert.deepEqual(stopped({ ...waiter, demand: { gpu: 2 } }), [], "it would not be enough");
  assert.deepEqual(stopped({ ...waiter, waited: 0.5 }), [], "another node may have room");
});

test("choose() stops something for a slot, for what asks for nothing too, and once", () => {
  const victims = [1, 2].map((n) => ({ key: `v${n}`, priority: 5, demand: {}, since: n }));
  const waiter = waits(null, { waited: 2 });
  const full = { slots: 0, waiting: [waiter], victims };
  assert.deepEqual(choose(view(full), PATIENCE).stop, ["v2"]);
  const under = choose(view({ ...full, coming: { free: {}, slots: 1 } }), PATIENCE);
  assert.deepEqual(under.stop, [], "one is on its way out already");
  const second = waits({ cpu: 1 }, { waited: 2 });
  const both = choose(view({ ...full, waiting: [waiter, second] }), PATIENCE);
  assert.deepEqual(both.stop.sort(), ["v1", "v2"]);
});

test("choose() waits for those that were told to stop, and gives what they free to nobody else", () => {
  const victims = [{ key: "v", priority: 5, demand: { gpu: 1 }, since: 1 }];
  const waiter = waits({ gpu: 2 }, { waited: 2 });
  const later = waits({ gpu: 1 });
  const half = { free: { cpu: 4, gpu: 1 }, coming: { free: { gpu: 1 }, slots: 1 }, reserved: waiter.uuid };
  const found = choose(view({ ...half, waiting: [waiter, later], victims }), PATIENCE);
  assert.deepEqual([found.stop, found.claim, found.reserved], [[], [], waiter.uuid]);
});

test("agedPriority() improves by a step each so many seconds, and not with 0", () => {
  assert.deepEqual([0, 59, 60, 599].map((waited) => agedPriority(5, waited, 60)), [5, 5, 4, -4]);
  assert.equal(agedPriority(5, 1e9, 0), 5);
});

test("inOrder() goes by aged priority, then by the time of publishing", () => {
  const [low, high, older] = [
    waits(null, { priority: 3, waited: 200 }),
    waits(null, { priority: 1 }),
    waits(null),
  ];
  assert.deepEqual(uuids(inOrder([high, low, older], 60)), uuids([low, older, high]));
});

// ---- what holds for everything

const amounts = fc.record({ cpu: fc.integer({ min: 0, max: 4 }), gpu: fc.integer({ min: 0, max: 2 }) });
const anyWaiting = fc.record({
  demand: fc.option(amounts, { freq: 5 }),
  priority: fc.integer({ min: -3, max: 3 }),
  waited: fc.integer({ min: 0, max: 100 }),
});
const anyVictim = fc.record({ demand: amounts, priority: fc.integer({ min: -3, max: 3 }) });
const anyView = fc.record({
  free: amounts,
  slots: fc.integer({ min: 0, max: 5 }),
  waiting: fc.array(anyWaiting, { maxLength: 12 }),
  victims: fc.array(anyVictim, { maxLength: 6 }),
});

test("choose() never takes more than is free, nor stops for what is not more urgent", () => {
  fc.assert(fc.property(anyView, fc.constantFrom(0, 20), (given, ageing) => {
    const waiting = given.waiting.map((one) => waits(one.demand, one));
    const victims = given.victims.map((one, i) => ({ key: `v${i}`, since: i, ...one }));
    const found = choose(view({ ...given, waiting, victims }), { ...PATIENCE, ageing });
    const taken = found.claim.reduce((sum, { demand }) => plus(sum, demand!), {} as Resources);
    assert.ok(fits(taken, given.free), `${JSON.stringify(taken)} of ${JSON.stringify(given.free)}`);
    assert.ok(found.claim.length <= given.slots);
    const chosen = [...uuids(found.claim), ...uuids(found.next)];
    assert.equal(new Set(chosen).size, chosen.length);
    assert.ok(!chosen.includes(found.reserved!));
    const urgent = Math.min(...waiting.filter(({ waited }) => waited >= 1).map(({ priority }) => priority));
    for (const key of found.stop) assert.ok(victims.find((one) => one.key === key)!.priority > urgent);
    assert.equal(new Set(found.stop).size, found.stop.length);
  }));
});
