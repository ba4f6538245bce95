import assert from "node:assert/strict";
import { test } from "../harness.ts";
import { callOf } from "./load.ts";
import { type Fault, KINDS, planOf, sayFault } from "./plan.ts";
import { Random } from "./random.ts";

const OPTIONS = { nodes: 3, ms: 120_000, leaseMs: 3_000 };

test("planOf() makes the same plan of the same seed, and another of another", () => {
  assert.deepEqual(planOf({ seed: 7, ...OPTIONS }), planOf({ seed: 7, ...OPTIONS }));
  assert.notDeepEqual(planOf({ seed: 7, ...OPTIONS }), planOf({ seed: 8, ...OPTIONS }));
});

test("planOf() has every kind before it has one again, and about as much as was asked for", () => {
  for (let seed = 0; seed < 50; seed++) {
    const faults = planOf({ seed, ...OPTIONS }).flatMap((step) => step.faults);
    assert.deepEqual(new Set(faults.map(({ kind }) => kind)), new Set(KINDS), `seed ${seed}`);
    const short = planOf({ seed, ...OPTIONS, ms: 10_000 });
    assert.ok(short.length >= 1 && short.length < faults.length);
  }
});

test("planOf() breaks no two things at once that would mend each other, and stays within its bounds", () => {
  for (let seed = 0; seed < 200; seed++) {
    for (const { faults } of planOf({ seed, ...OPTIONS, outageMs: 2_000 })) {
      const targets = faults.map((fault) => "node" in fault ? fault.node : "server");
      assert.equal(new Set(targets).size, faults.length, faults.map(sayFault).join());
      if (faults.length > 1) assert.ok(!targets.includes("all"));
      for (const fault of faults) assertBounds(fault);
    }
  }
});

function assertBounds(fault: Fault): void {
  if ("node" in fault && fault.node !== "all") assert.ok(fault.node >= 0 && fault.node < OPTIONS.nodes);
  if (fault.kind === "restart_server") assert.ok(fault.downMs <= 2_000);
  if ("forMs" in fault) assert.ok(fault.forMs <= 2 * OPTIONS.leaseMs);
}

test("planOf() freezes and cuts off longer than the lease, too", () => {
  const faults = planOf({ seed: 3, ...OPTIONS, ms: 600_000 }).flatMap((step) => step.faults);
  for (const kind of ["freeze_node", "blackhole"]) {
    const long = faults.filter((fault) =>
      fault.kind === kind && "forMs" in fault && fault.forMs >= OPTIONS.leaseMs
    );
    assert.ok(long.length > 0, kind);
  }
});

test("callOf() draws the same calls from the same seed, of every sort", () => {
  const draw = (seed: number) => {
    const random = new Random(seed);
    return Array.from({ length: 500 }, () => callOf(random, ["a", "b"]));
  };
  assert.deepEqual(draw(1), draw(1));
  const calls = draw(2);
  assert.deepEqual(new Set(calls.map(({ task }) => task)), new Set(["add", "sleep", "flaky", "record"]));
  assert.deepEqual(new Set(calls.map(({ queue }) => queue)), new Set(["default", "a", "b", "broadcast"]));
  assert.ok(calls.some(({ delay }) => delay > 0) && calls.some(({ serial }) => serial));
  assert.equal(new Set(calls.map(({ uuid }) => uuid)).size, 500);
});
