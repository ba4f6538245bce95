/** What is heard of those that are settled, and when a wait looks. */
import assert from "node:assert/strict";
import type { Broker, Listener } from "../runtime/broker/broker.ts";
import { follow } from "../runtime/follow.ts";
import { Hints } from "../runtime/hints.ts";
import { FakeClock } from "./fake_clock.ts";
import { test } from "./harness.ts";

/** Hints over a broker that says what the test wants, with somebody who waits for another one: it listens. */
async function open() {
  let listener: Listener | undefined;
  const listen = (_channels: readonly string[], told: Listener) => {
    listener = told;
    return Promise.resolve(() => Promise.resolve());
  };
  const hints = new Hints({ listen } as unknown as Broker);
  await hints.on("another", () => {});
  const clock = new FakeClock();
  let [looks, ended] = [0, false];
  const wait = (fresh: boolean) =>
    follow({ clock, hints }, { uuid: "u", within: 300, fresh }, () => {
      looks++;
      return Promise.resolve(ended || undefined);
    });
  return {
    hints,
    wait,
    looks: () => looks,
    settle(uuid = "u") {
      ended = true;
      listener!.message("", uuid);
    },
  };
}

const turn = () => new Promise((resolve) => setImmediate(resolve));

test("a wait looks at once, but not for what was published this moment, until it is told", async (t) => {
  for (const [fresh, before] of [[false, 1], [true, 0]] as const) {
    const { hints, wait, looks, settle } = await open();
    t.after(() => hints.close());
    const found = wait(fresh);
    await turn();
    assert.equal(looks(), before);
    settle();
    assert.equal(await found, true);
    assert.equal(looks(), before + 1);
  }
});

test("a wait looks at once also for what was published this moment when a hint came before it", async (t) => {
  const { hints, wait, looks, settle } = await open();
  t.after(() => hints.close());
  settle();
  assert.equal(hints.hearsAll("u"), false);
  assert.equal(await wait(true), true);
  assert.equal(looks(), 1);
});

test("a wait looks at once when nobody has listened yet", async (t) => {
  const { hints, wait, looks, settle } = await open();
  t.after(() => hints.close());
  await hints.close();
  assert.equal(hints.hearsAll("u"), false);
  const found = wait(true);
  await turn();
  assert.equal(looks(), 1);
  settle();
  await found;
});

test("Hints remembers the last of those for whom nobody waited, not all of them", async (t) => {
  const { hints, settle } = await open();
  t.after(() => hints.close());
  for (let i = 0; i < 1_500; i++) settle(`${i}`);
  assert.deepEqual(["0", "400", "1499"].map((uuid) => hints.hearsAll(uuid)), [true, true, false]);
});
