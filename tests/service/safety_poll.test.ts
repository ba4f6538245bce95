import assert from "node:assert/strict";
import { safetyPoll } from "../../runtime/service/safety_poll.ts";
import { FakeClock } from "../fake_clock.ts";
import { test } from "../harness.ts";

test("safetyPoll() looks every so many seconds, and every second while the node hears nothing", async () => {
  const clock = new FakeClock();
  let [looks, hears] = [0, true];
  const poll = safetyPoll({ clock, seconds: 15, hears: () => hears, look: () => looks++ });
  const pass = async (seconds: number) => {
    const before = looks;
    for (let ms = 0; ms < seconds * 1000;) {
      const rest = await poll.once();
      await clock.advance(rest);
      ms += rest;
    }
    return looks - before;
  };
  assert.equal(await pass(1), 1, "at the start");
  assert.equal(await pass(30), 2);
  hears = false;
  assert.equal(await pass(20), 20);
  hears = true;
  assert.equal(await pass(30), 2);
});
