import assert from "node:assert/strict";
import { platform, runtimeName } from "../runtime/platform/detect.ts";
import { platformConformance, ready, run } from "./conformance/platform.ts";
import { serveConformance } from "./conformance/platform_serve.ts";
import { eventually, test, thisRuntime } from "./harness.ts";

platformConformance(platform);
serveConformance(platform);

test("platform() is the adapter of the runtime that this runs on", async () => {
  assert.equal(runtimeName(), thisRuntime());
  assert.equal((await platform()).name, thisRuntime());
});

// What only some of them can do; the others end the whole host instead, see runtime/pool/host.ts.
if (thisRuntime() !== "deno") {
  test("spawnThread() tells of a thread that ends itself", async (t) => {
    const { thread, ended } = await ready(t, await platform());
    thread.post("exit");
    await eventually(() => ended.length > 0);
    assert.equal(ended[0].name, "WorkerExit");
    assert.match(ended[0].message, /^Worker ended by itself/);
  });
}

if (thisRuntime() === "node") {
  test("spawnThread() on Node ends a thread alone that uses up its heap", async (t) => {
    const [greedy, other] = await Promise.all([ready(t, await platform(), 32), ready(t, await platform())]);
    greedy.thread.post("fill");
    await eventually(() => greedy.ended.length > 0, { within: 30_000 });
    assert.deepEqual([greedy.ended[0].name, greedy.ended[0].message], [
      "OutOfMemory",
      "Worker used more than 32 MB",
    ]);
    other.thread.post("echo:here");
    await eventually(() => other.said.length === 1);
  });
}

if (thisRuntime() === "deno") {
  test("command() on Deno bounds the heap of the child, and deathNote() knows its end", async (t) => {
    const here = await platform();
    const source =
      "const kept: unknown[] = []; for (;;) kept.push(new Array(100_000).fill(0).map((_, i) => ({ i })));";
    const { code, signal } = await run(t, here, source, { memoryMb: 64 });
    assert.notEqual(code, 0);
    assert.equal(here.deathNote(signal), "ran out of memory (SIGTRAP)");
  });
}
