import assert from "node:assert/strict";
import { dueTicks, nextTick, nextTicks, rhythmFault } from "../runtime/schedule.ts";
import { test } from "./harness.ts";

const at = (text: string) => new Date(text);
const iso = (ticks: Date[]) => ticks.map((tick) => tick.toISOString().replace(":00.000Z", "Z"));
const berlin = (cron: string, after: string, count: number) =>
  iso(nextTicks({ cron, timezone: "Europe/Berlin" }, at(after), count));
const NOW = at("2026-01-01T00:00:10Z");
const due = (policy: "one" | "all" | "none", next: string, graceMs: number) =>
  dueTicks({ every: 2 }, policy, at(next), NOW, graceMs);

test("rhythmFault() wants either every or cron, in a known time zone, that ticks", () => {
  assert.equal(rhythmFault({ every: 5 }), undefined);
  assert.equal(rhythmFault({ cron: "@daily" }), undefined);
  assert.equal(rhythmFault({}), "a schedule has either every or cron");
  assert.equal(rhythmFault({ every: 5, cron: "* * * * *" }), "a schedule has either every or cron");
  assert.equal(rhythmFault({ cron: "0 0 30 2 *" }), "it never ticks");
  assert.ok(rhythmFault({ cron: "61 * * * *" }));
  assert.ok(rhythmFault({ cron: "* * * * *", timezone: "Mars/Olympus" }));
});

test("nextTick() of seconds goes on from the time given", () => {
  assert.equal(nextTick({ every: 0.5 }, NOW)!.getTime(), NOW.getTime() + 500);
});

test("nextTicks() keeps the hour of the wall clock over the spring change", () => {
  assert.deepEqual(berlin("0 6 * * *", "2026-03-28T00:00:00Z", 3), [
    "2026-03-28T05:00Z",
    "2026-03-29T04:00Z",
    "2026-03-30T04:00Z",
  ]);
});

test("nextTicks() keeps the hour of the wall clock over the autumn change", () => {
  assert.deepEqual(berlin("0 6 * * *", "2026-10-24T00:00:00Z", 3), [
    "2026-10-24T04:00Z",
    "2026-10-25T05:00Z",
    "2026-10-26T05:00Z",
  ]);
});

test("nextTicks() ticks once a day at an hour that a change skips or repeats", () => {
  for (
    const [after, days] of [["2026-03-28T12:00:00Z", [29, 30]], ["2026-10-24T12:00:00Z", [25, 26]]] as const
  ) {
    assert.deepEqual(
      nextTicks({ cron: "30 2 * * *", timezone: "Europe/Berlin" }, at(after), 2)
        .map((tick) => tick.getUTCDate()),
      [...days],
    );
  }
});

test("nextTicks() names an expression that it cannot read", () => {
  assert.throws(
    () => nextTicks({ cron: "every day" }, NOW, 1),
    /^DispatcherError: Cannot read schedule "every day": /,
  );
});

test("dueTicks() publishes all, the last, or none of the missed ticks", () => {
  const next = at("2026-01-01T00:00:11Z");
  const missed = ["03", "05", "07", "09"].map((s) => at(`2026-01-01T00:00:${s}Z`));
  assert.deepEqual(due("all", "2026-01-01T00:00:03Z", 0), { ticks: missed, next });
  assert.deepEqual(due("one", "2026-01-01T00:00:03Z", 0), { ticks: missed.slice(-1), next });
  assert.deepEqual(due("none", "2026-01-01T00:00:03Z", 999), { ticks: [], next });
});

test("dueTicks() with none publishes a tick that is within the grace", () => {
  assert.equal(due("none", "2026-01-01T00:00:09Z", 1_000).ticks.length, 1);
  assert.equal(due("none", "2026-01-01T00:00:09Z", 999).ticks.length, 0);
});

test("dueTicks() of what is not due is nothing, and the next tick stays", () => {
  const next = at("2026-01-01T00:00:11Z");
  assert.deepEqual(due("all", next.toISOString(), 0), { ticks: [], next });
});

test("dueTicks() after a year of sleep is bounded and keeps the phase", () => {
  const { ticks, next } = dueTicks({ every: 1 }, "all", at("2025-01-01T00:00:00.250Z"), NOW, 0);
  assert.equal(ticks.length, 1_000);
  assert.deepEqual([ticks.at(-1), next], [at("2026-01-01T00:00:09.250Z"), at("2026-01-01T00:00:10.250Z")]);
});
