import assert from "node:assert/strict";
import { ClaimFloors, type Found } from "../../runtime/dispatch/floors.ts";
import type { Floor } from "../../runtime/store/store.ts";
import { test } from "../harness.ts";
import { FakeClock } from "../fake_clock.ts";

function open(queues = ["q"]) {
  const clock = new FakeClock();
  const floors = new ClaimFloors(clock, queues);
  /** A claim that takes so long and finds so much; where it began. */
  const claim = (ms: number, found: Partial<Found> | null = {}): Floor[] => {
    const look = floors.look();
    clock.advance(ms);
    floors.done(look, found && { all: true, reached: [], last: 0, claimed: [], ...found });
    return look.floors;
  };
  return { clock, floors, claim };
}

const at = (id: number, priority = 0, queue = "q"): Floor => ({ queue, priority, id });

test("ClaimFloors lets every claim look from the beginning while that is fast and little was published", () => {
  const { clock, floors, claim } = open();
  for (let id = 100; id < 99_000; id += 1_000) assert.deepEqual(claim(20, { last: id }), []);
  // As much again, but not within two minutes.
  for (const last of [99_500, 150_000, 190_000]) {
    clock.advance(60_000);
    assert.deepEqual(claim(20, { last }), []);
  }
  assert.deepEqual([floors.patience, floors.slowFor, floors.owe], [0, 0, false]);
});

/** After much was published, with the floor of "q" at 100,000. */
function busy() {
  const rig = open();
  rig.claim(0, { last: 1 });
  for (const last of [100_001, 100_001, 200_000]) {
    rig.clock.advance(1_000);
    rig.claim(0, { last });
  }
  return rig;
}

test("ClaimFloors looks from the beginning every 100 ms at least while much is published, and for a twentieth of the time", () => {
  const { clock, floors, claim } = busy();
  assert.deepEqual(claim(2, { last: 200_000 }), []);
  assert.equal(floors.patience, 40);
  assert.deepEqual(claim(35), [at(100_001)]);
  clock.advance(5);
  assert.deepEqual(claim(20), []);
  assert.equal(floors.patience, 100, "not 400");
  assert.equal(claim(100).length, 1);
  assert.deepEqual(claim(0), []);
  assert.equal(floors.slowFor, 0);
});

test("ClaimFloors goes on looking from the beginning while it finds more than it may take before the floors", () => {
  const { claim } = busy();
  const some = (id: number) => ({ all: false, reached: [at(id)] });
  for (const id of [20, 40, 60, 100_000]) assert.deepEqual(claim(20, some(id)), [], `${id}`);
  assert.deepEqual(claim(20, some(100_100)), []);
  assert.equal(claim(20, some(100_200)).length, 1, "there was nothing before");
});

test("ClaimFloors begins where a slow look from the beginning has found more than it may take", () => {
  const { clock, claim } = busy();
  claim(500, { all: false, reached: [at(20)] });
  assert.deepEqual(claim(20, { all: false, reached: [at(40)] }), [at(19)]);
  clock.advance(1_000);
  claim(20, { last: 200_000 });
  clock.advance(1_000);
  claim(20, { last: 200_000 });
  assert.deepEqual(claim(20), [at(200_000)], "all of it is found: they rise again");
});

test("ClaimFloors looks from the beginning with the next claim when it is asked to, unless that is slow", () => {
  const { floors, claim } = busy();
  claim(20);
  assert.equal(claim(1).length, 1);
  floors.ask();
  assert.deepEqual(claim(20), []);
  assert.equal(claim(1).length, 1, "one");
  floors.ask();
  claim(500);
  floors.ask();
  assert.equal(claim(1).length, 1, "slow");
});

test("ClaimFloors begins from the floors for twenty times as long as the look from the beginning took", () => {
  const { clock, floors, claim } = open();
  assert.deepEqual(claim(400, { last: 100 }), []);
  assert.equal(floors.patience, 8_000);
  assert.equal(floors.slowFor, 8_000);
  assert.deepEqual(claim(10, { last: 200 }), [at(0)]);
  clock.advance(7_980);
  assert.equal(claim(5).length, 1);
  clock.advance(10);
  assert.deepEqual(claim(5), []);
});

test("ClaimFloors grants a claim the time that what it brings takes", () => {
  const { floors, claim } = open();
  const claimed = Array.from(
    { length: 16 },
    () => ({ args: "x".repeat(500_000), kwargs: "x".repeat(500_000) }),
  );
  assert.deepEqual(claim(700, { last: 100, claimed }), []);
  assert.equal(floors.slowFor, 0, "that was quick for so much");
  assert.deepEqual(claim(900, { last: 200, claimed }), []);
  assert.equal(floors.slowFor, 10_000, "that was slow, even so");
});

test("ClaimFloors begins where what goes back is, and rises again from there", () => {
  const { clock, claim, floors } = open();
  claim(1_000, { last: 500 });
  clock.advance(1_000);
  claim(10, { all: false, reached: [at(900)] });
  clock.advance(1_000);
  claim(10, { all: false, reached: [at(1_200)] });
  assert.deepEqual(claim(10, { all: false, reached: [] }), [at(900)]);
  floors.lower([at(800), at(300, 7)]);
  assert.deepEqual(claim(10, { all: false, reached: [at(850)] }), [at(799), at(0, 7)]);
  clock.advance(1_000);
  claim(10, { all: false, reached: [at(1_300)] });
  assert.deepEqual(claim(10)[0], at(799), "what was on its way meanwhile may be before that");
  clock.advance(1_000);
  claim(10, { all: false, reached: [at(1_400)] });
  assert.deepEqual(claim(10)[0], at(1_300));
});

test("ClaimFloors looks from the beginning within 10 s, whatever an outage made a claim take", () => {
  const { clock, floors, claim } = open();
  claim(60_000, { last: 100 });
  assert.equal(floors.patience, 10_000);
  clock.advance(10_000);
  assert.deepEqual(claim(5), []);
});

test("ClaimFloors owes a look from the beginning once one from risen floors has found all, until there was one", () => {
  const { clock, floors, claim } = open();
  claim(1_000, { last: 100 });
  claim(10, { last: 200 });
  assert.equal(floors.owe, false, "floors of 0 are where everything begins");
  clock.advance(1_000);
  claim(10, { last: 300 });
  claim(10, { all: false, reached: [at(310)] });
  assert.equal(floors.owe, false, "more is to be claimed");
  claim(10, { last: 400 });
  assert.equal(floors.owe, true);
  claim(10, { all: false, reached: [at(410)] });
  claim(10, null);
  assert.equal(floors.owe, true);
  assert.equal(floors.sweepIn, floors.patience + 1);
  clock.advance(10_000);
  assert.deepEqual(claim(5), []);
  assert.equal(floors.owe, false);
  assert.equal(floors.sweepIn, 100);
});

test("ClaimFloors goes on owing a look when the one that ended began before the last claim from the floors", () => {
  const { clock, floors } = busy();
  const found = { all: true, reached: [], last: 200_000, claimed: [] };
  const full = floors.look();
  clock.advance(5);
  const beside = floors.look();
  assert.deepEqual([full.floors.length, beside.floors.length], [0, 1]);
  clock.advance(5);
  floors.done(beside, found);
  floors.done(full, found);
  assert.equal(floors.owe, true);
  clock.advance(300);
  const later = floors.look();
  floors.done(later, found);
  assert.deepEqual([later.floors.length, floors.owe], [0, false]);
});

test("ClaimFloors raises a floor only to what was drawn before the claim that found all began", () => {
  const { clock, claim } = open();
  claim(1_000, { last: 100 });
  // Too early: what was drawn up to 100 may be committed still.
  assert.deepEqual(claim(10, { last: 200 }), [at(0)]);
  assert.deepEqual(claim(10, { last: 300 }), [at(0)]);
  clock.advance(1_000);
  assert.deepEqual(claim(10, { last: 400 }), [at(0)]);
  assert.deepEqual(claim(10, { last: 500 }), [at(100)]);
  clock.advance(1_000);
  claim(10, { last: 600 });
  assert.deepEqual(claim(10), [at(400)]);
});

test("ClaimFloors raises the floor of a claim that left some no further than to what it reached", () => {
  const { clock, claim } = open();
  claim(1_000, { all: false, reached: [at(50), at(7, -5)], last: 900 });
  clock.advance(1_000);
  claim(10, { all: false, reached: [at(60)], last: 950 });
  // Of the more urgent priority nothing was claimed: who knows what waits there.
  assert.deepEqual(claim(10), [at(50), at(0, -5)]);
});

test("ClaimFloors never lowers a floor", () => {
  const { clock, claim } = open();
  claim(1_000, { last: 500 });
  for (const end of [400, 300, 200]) {
    clock.advance(1_000);
    claim(10, { all: false, reached: [at(end)] });
  }
  assert.deepEqual(claim(10), [at(400)]);
});

test("ClaimFloors looks from the beginning again after a claim that got no answer", () => {
  const { claim } = open();
  claim(1_000);
  assert.equal(claim(10, null).length, 1);
  const again = open();
  assert.deepEqual(again.claim(1_000, null), []);
  assert.deepEqual(again.claim(10), []);
});

test("ClaimFloors lets one slow look from the beginning be under way at a time", () => {
  const { clock, floors } = open();
  const found = { all: true, reached: [], last: 0, claimed: [] };
  const end = (look: ReturnType<ClaimFloors["look"]>, ms: number) => {
    clock.advance(ms);
    floors.done(look, found);
  };
  end(floors.look(), 100);
  clock.advance(2_000);
  const slow = floors.look();
  assert.equal(slow.floors.length, 0);
  const beside = floors.look();
  assert.equal(beside.floors.length, 1);
  end(beside, 10);
  end(slow, 90);
  assert.equal(floors.look().floors.length, 1);
});

test("ClaimFloors takes a look that is no slower than one from the floors for fast", () => {
  const { clock, floors, claim } = open();
  claim(500);
  for (let i = 0; i < 50; i++) claim(200);
  clock.advance(10_000);
  assert.deepEqual(claim(300), []);
  assert.equal(floors.slowFor, 0);
  assert.deepEqual(claim(300), []);
});

test("ClaimFloors remembers no more than so many priorities of a queue", () => {
  const { clock, claim } = open(["q", "r"]);
  const reached = Array.from({ length: 100 }, (_, priority) => at(9, priority));
  claim(1_000, { all: false, reached });
  clock.advance(1_000);
  claim(10, { all: false, reached });
  const floors = claim(10);
  assert.equal(floors.length, 17);
  assert.equal(floors.filter((floor) => floor.queue === "r").length, 1);
});
