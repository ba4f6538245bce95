/** What docs/priorities.md shows is what runs. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "../harness.ts";
import { rig, SHIPPED } from "../pool/rig.ts";

const read = (path: string) => readFileSync(new URL(`../../${path}`, import.meta.url), "utf8");

test("docs/priorities.md shows its examples as they are", () => {
  const source = read("tasks/examples/priorities.ts");
  const blocks = [...read("docs/priorities.md").matchAll(/^```ts\n(.*?)^```$/gms)].map(([, text]) => text);
  assert.equal(blocks.length, 2);
  for (const block of blocks) assert.ok(source.includes(block), block);
});

test("a worker says what a task asks for instead of running it, unless its message says so", async (t) => {
  const { run, pool } = await rig(t, { root: SHIPPED });
  const first = await run("examples/priorities#render", [3]);
  assert.deepEqual([first.outcome, first.asks, first.started], [
    "released",
    { license: 1, memoryMb: 256 },
    null,
  ]);
  const again = await run("examples/priorities#render", [3], { options: '{"resources":{"license":1}}' });
  assert.deepEqual([again.outcome, again.result], ["completed", "3 frames"]);
  assert.equal((await run("examples/priorities#backfill", [2])).result, 2);
  assert.ok(pool.endings.preemptible.has("examples/priorities#backfill"));
});

test("an attempt that is preempted hears of it, and is given back with the reason", async (t) => {
  const { run, pool } = await rig(t, { root: SHIPPED });
  const ended = run("examples/priorities#backfill", [100_000]);
  await new Promise<void>((resolve) => {
    const look = setInterval(() => {
      const [slot] = pool.fleet.running();
      if (!slot?.running?.progress) return;
      clearInterval(look);
      pool.abort(slot.running.claimed.uuid, "Preempted");
      resolve();
    }, 5);
  });
  const { outcome, preempted, error } = await ended;
  assert.deepEqual([outcome, preempted, error.name], ["released", true, "Preempted"]);
});
