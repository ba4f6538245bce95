import assert from "node:assert/strict";
import { Vigil } from "../../runtime/dispatch/vigil.ts";
import { Events } from "../../runtime/events.ts";
import { FakeClock } from "../fake_clock.ts";
import { test } from "../harness.ts";

/** The vigil of a node that finds so many with each look. */
function rig() {
  const clock = new FakeClock();
  const state = { finds: 10, sharing: 1, looks: 0, words: 0, answers: true, published: 0, took: 0 };
  const events = new Events();
  const log: string[] = [];
  events.on(({ name, text }) => log.push(`${name}: ${text}`));
  const vigil: Vigil = new Vigil({
    clock,
    events,
    store: {
      async keepVigil() {
        state.words++;
        if (!state.answers) await new Promise(() => {});
      },
    },
  }, {
    look() {
      state.looks++;
      vigil.claimed(state.finds);
    },
    instance: () => "i",
    sharing: () => state.sharing,
  });
  /** So many are published within so many milliseconds; how many of the wakes were its dispatcher's. */
  const publish = async (count: number, ms: number) => {
    let woken = 0;
    for (let i = 0; i < count; i++) {
      state.published++;
      vigil.looked(clock.monotonic() - state.took, state.published);
      if (!vigil.woken()) woken++;
      await clock.advance(ms / count);
    }
    return woken;
  };
  return { clock, state, vigil, publish, log };
}

test("Vigil leaves wakes to the dispatcher while they are few", async () => {
  const { state, vigil, publish } = rig();
  assert.equal(await publish(400, 1_000), 400);
  assert.deepEqual([vigil.isKept, state.words, state.looks], [false, 0, 0]);
});

test("Vigil begins when wakes are many, says so, and looks by itself from then on", async () => {
  const { state, vigil, publish } = rig();
  assert.equal(await publish(1_000, 1_000), 99);
  assert.equal(vigil.isKept, true);
  assert.equal(state.words, 2, "each half second");
  assert.ok(state.looks >= 175 && state.looks <= 181, `${state.looks} looks in 900 ms`);
});

test("Vigil that begins while millions were published before knows how much is published now", async () => {
  const { state, vigil, publish, log } = rig();
  // Woken, before its first look is answered.
  for (let i = 0; i < 50; i++) vigil.woken();
  state.published = 5_000_000;
  await publish(3_000, 3_000);
  assert.equal(vigil.isKept, true);
  assert.deepEqual(log, ["vigil.began: Looks by itself every 5 ms, since it is woken often"]);
});

test("Vigil of several nodes is kept by turns", async () => {
  const { state, vigil, publish } = rig();
  state.sharing = 3;
  await publish(1_000, 1_000);
  assert.ok(state.looks >= 29 && state.looks <= 31, `${state.looks} looks in 900 ms`);
  const pauses = [0, 1, 2, 3, 40].map((sharing) => {
    state.sharing = sharing;
    return vigil.pause;
  });
  assert.deepEqual(pauses, [5, 5, 20, 30, 30], "0: its lease has lapsed");
});

test("Vigil of several nodes looks less often where looks take long, until each finds many", async () => {
  const { state, vigil, publish } = rig();
  const pauses = async (took: number, perMs: number) => {
    state.took = took;
    await publish(perMs * 1_100, 1_100);
    return [1, 2, 3, 40].map((sharing) => {
      state.sharing = sharing;
      const { pause } = vigil;
      state.sharing = 1;
      return Math.round(pause);
    });
  };
  assert.deepEqual(await pauses(1, 1), [5, 20, 30, 60]);
  assert.deepEqual(await pauses(3, 1), [5, 30, 45, 60], "those of all take a fifth of the time");
  assert.deepEqual(await pauses(30, 1), [5, 60, 60, 60], "each finds 48");
  assert.deepEqual(await pauses(30, 4), [5, 24, 36, 60], "in a quarter of the time");
  assert.equal(vigil.isKept, true);
});

test("Vigil has outcomes wait for the next look, unless one of them is urgent", () => {
  const { state, vigil } = rig();
  state.sharing = 3;
  assert.deepEqual([false, true].map((areUrgent) => vigil.gather({ areUrgent })), [30, 0]);
});

test("Vigil ends when looks find little, after a look behind the second that it had promised", async () => {
  const { clock, state, vigil, publish, log } = rig();
  state.finds = 1;
  await publish(200, 200);
  let at = 0;
  let looks = 0;
  while (vigil.isKept) {
    looks = state.looks;
    await clock.advance(1);
    at++;
  }
  assert.equal(state.words, 1);
  // It was kept for some 100 ms of the 200.
  assert.ok(at >= 895 && at <= 915, `${at} ms`);
  assert.equal(state.looks, looks + 1, "the last one");
  assert.deepEqual(log, [
    "vigil.began: Looks by itself every 5 ms, since it is woken often",
    "vigil.ended: Is woken again: looks find little",
  ]);
  assert.equal(await publish(50, 100), 50, "from then on it is woken");
  await clock.advance(201);
  assert.equal(await publish(1_000, 1_000), 99, "until it is woken too often again");
});

test("Vigil goes on looking while nobody knows whether its word was heard", async () => {
  const { clock, state, vigil, publish } = rig();
  state.answers = false;
  await publish(200, 200);
  state.finds = 0;
  await clock.advance(10_000);
  assert.equal(vigil.isKept, true);
  assert.ok(state.looks >= 1_900);
});

test("Vigil that is stopped looks no more, and begins again only when it is resumed", async () => {
  const { clock, state, vigil, publish, log } = rig();
  await publish(200, 200);
  vigil.stop();
  await clock.advance(10);
  const { looks } = state;
  await clock.advance(3_000);
  assert.deepEqual([vigil.isKept, state.words], [false, 1]);
  assert.ok(state.looks <= looks + 1);
  assert.equal(await publish(300, 300), 300);
  assert.equal(log.at(-1), "vigil.ended: Is woken again: nothing more is claimed");
  vigil.resume();
  assert.equal(await publish(200, 200), 99);
});

test("Vigil that is resumed looks once more when what it had said before is over", async () => {
  const { clock, state, vigil, publish } = rig();
  await publish(200, 200);
  vigil.stop();
  await clock.advance(10);
  vigil.resume();
  const { looks } = state;
  await clock.advance(800);
  assert.equal(state.looks, looks);
  await clock.advance(200);
  assert.equal(state.looks, looks + 1);
});

test("Vigil under which less is published than before ends, and rests, longer each time", async () => {
  const { clock, state, vigil, publish, log } = rig();
  /** Those who wait for their results publish a third of what they did. */
  const slower = async () => {
    await publish(100, 100);
    assert.equal(vigil.isKept, true);
    await publish(200, 600);
    assert.equal(vigil.isKept, true, "half a second may be chance");
    await publish(500, 1_500);
    assert.equal(vigil.isKept, false);
    return state.words;
  };
  assert.equal(await slower(), 2);
  assert.equal(log.at(-1), "vigil.ended: Is woken again: less is published meanwhile; no vigil for 30 s");
  assert.equal(await publish(10_000, 10_000), 10_000, "it would be kept otherwise");
  await clock.advance(20_000);
  assert.equal(await slower(), 4);
  assert.equal(log.at(-1), "vigil.ended: Is woken again: less is published meanwhile; no vigil for 60 s");
  await clock.advance(31_000);
  assert.equal(await publish(1_000, 1_000), 1_000, "the second rest is twice as long");
  await clock.advance(30_000);
  await publish(2_000, 2_000);
  assert.ok(vigil.isKept && state.words > 6, "as much as before: it goes on");
});
