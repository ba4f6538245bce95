/** What every adapter of a runtime must do, on that runtime. */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { pathToFileURL } from "node:url";
import type { Platform, Thread } from "../../runtime/platform/platform.ts";
import { eventually, tempDir, test, type TestContext } from "../harness.ts";

const THREAD = new URL("./platform_thread.ts", import.meta.url);

/** A thread with all that was heard of it. */
export interface Watched {
  thread: Thread;
  said: string[];
  ended: { name: string; message: string; stack?: string }[];
}

/** Start a thread; it is terminated after the test. */
export function start(t: TestContext, platform: Platform, module = THREAD, memoryMb = 256): Watched {
  const said: string[] = [];
  const ended: Watched["ended"] = [];
  const thread = platform.spawnThread(module, { memoryMb }, {
    message: (text) => said.push(text),
    ended: (reason) => ended.push(reason),
  });
  t.after(() => thread.terminate());
  return { thread, said, ended };
}

/** Start one and wait until it is there. */
export async function ready(t: TestContext, platform: Platform, memoryMb?: number): Promise<Watched> {
  const watched = start(t, platform, THREAD, memoryMb);
  await eventually(() => watched.said.length > 0 || watched.ended.length > 0);
  assert.deepEqual([watched.said.splice(0), watched.ended], [["ready"], []]);
  return watched;
}

/** Run a module as a child process of the same runtime, to its end. */
export function run(
  t: TestContext,
  platform: Platform,
  source: string,
  options?: { memoryMb?: number },
): Promise<{ code: number | null; signal: string | null; output: string; errors: string }> {
  const dir = join(tempDir(), "a place (x) é");
  mkdirSync(dir);
  writeFileSync(join(dir, "child.ts"), source);
  const { file, args, env } = platform.command(pathToFileURL(join(dir, "child.ts")), options);
  const child = spawn(file, args, { env: { ...process.env, ...env }, stdio: ["ignore", "pipe", "pipe"] });
  t.after(() => child.kill("SIGKILL"));
  let [output, errors] = ["", ""];
  child.stdout.setEncoding("utf8").on("data", (text: string) => output += text);
  child.stderr.setEncoding("utf8").on("data", (text: string) => errors += text);
  return new Promise((resolve, reject) => {
    child.once("error", reject);
    child.once("close", (code, signal) => resolve({ code, signal, output, errors }));
  });
}

/** A child that starts a busy thread, terminates it, and prints what it was told. */
function terminatesBusy(name: string): string {
  const url = (path: string) => JSON.stringify(new URL(path, import.meta.url).href);
  return `
    const { platform } = await import(${url("../../runtime/platform/detect.ts")});
    const thread = (await platform()).spawnThread(new URL(${
    url("./platform_thread.ts")
  }), { memoryMb: 256 }, {
      message: async (text: string) => {
        if (text === "ready") return thread.post("busy");
        process.stdout.write(text + " " + await thread.terminate() + " ${name}", () => process.kill(process.pid, "SIGKILL"));
      },
      ended: (reason: unknown) => console.log("ended", JSON.stringify(reason)),
    });`;
}

/** Declare the suite. */
export function platformConformance(load: () => Promise<Platform>): void {
  processes(load);
  threads(load);
  endings(load);
}

function processes(load: () => Promise<Platform>): void {
  test("command() runs a module in a process of the same runtime, wherever it lies", async (t) => {
    const platform = await load();
    const detect = JSON.stringify(new URL("../../runtime/platform/detect.ts", import.meta.url).href);
    const source = `const { runtimeName } = await import(${detect});
      const found: string = runtimeName();
      console.log(found, process.pid !== ${process.pid});`;
    const { code, output, errors } = await run(t, platform, source);
    assert.deepEqual([code, output], [0, `${platform.name} true\n`], errors);
  });

  test("command() hands the child's exit code on", async (t) => {
    const platform = await load();
    assert.equal((await run(t, platform, "process.exit(7);", { memoryMb: 128 })).code, 7);
  });

  test("version is that of the runtime", async () => {
    const { name, version } = await load();
    assert.match(version, /^\d+\.\d+\.\d+/);
    assert.equal(version, process.versions[name]);
  });

  test("deathNote() says nothing of an ordinary end", async () => {
    const platform = await load();
    for (const signal of [null, "SIGTERM", "SIGKILL", "SIGINT"]) {
      assert.equal(platform.deathNote(signal), undefined);
    }
  });
}

function threads(load: () => Promise<Platform>): void {
  test("spawnThread() carries texts both ways, in order and unchanged", async (t) => {
    const { thread, said } = await ready(t, await load());
    const texts = ["", "a", "\u0000", "\ud800", "é😀", '{"t":"closed"}', "x".repeat(2_000_000), "last"];
    for (const text of texts) thread.post(`echo:${text}`);
    await eventually(() => said.length === texts.length);
    assert.deepEqual(said, texts);
  });

  test("spawnThread() keeps two threads apart, and the end of one leaves the other", async (t) => {
    const platform = await load();
    const [one, two] = await Promise.all([ready(t, platform), ready(t, platform)]);
    one.thread.post("echo:one");
    two.thread.post("echo:two");
    await eventually(() => one.said.length === 1 && two.said.length === 1);
    one.thread.post("throw:over");
    await eventually(() => one.ended.length === 1);
    two.thread.post("echo:still here");
    await eventually(() => two.said.length === 2);
    assert.deepEqual([one.said, two.said, two.ended], [["one"], ["two", "still here"], []]);
  });

  test("spawnThread() tells the thread's use of heap", async (t) => {
    const { thread, said } = await ready(t, await load());
    thread.post("heap");
    await eventually(() => assert.deepEqual(said, ["true"]));
  });

  test("trapExits() turns an exit into a report and an error of the task", async (t) => {
    const { thread, said, ended } = await ready(t, await load());
    thread.post("trap");
    thread.post("echo:goes on");
    await eventually(() => said.length === 3);
    const error = "A task must not call process.exit(): return or throw instead";
    assert.deepEqual([said, ended], [["trapped process.exit(3)", error, "goes on"], []]);
  });
}

function endings(load: () => Promise<Platform>): void {
  const thrown: [verb: string, name: string, message: RegExp][] = [
    ["throw:it broke", "TypeError", /^it broke$/],
    ["reject:not kept", "RangeError", /^not kept$/],
    ["throwText:a mere text", "Error", /^"?a mere text"?$/],
    ["throw:two\nlines: here", "TypeError", /^two\nlines: here$/],
  ];
  for (const [order, name, message] of thrown) {
    test(`spawnThread() tells once with name and message of a thread's end: ${JSON.stringify(order)}`, async (t) => {
      const { thread, ended } = await ready(t, await load());
      thread.post(order);
      await eventually(() => ended.length > 0);
      assert.equal(ended[0].name, name);
      assert.match(ended[0].message, message);
      await thread.terminate();
      assert.equal(ended.length, 1);
    });
  }

  test("spawnThread() tells of a thread's end behind all that it said", async (t) => {
    const platform = await load();
    // Where the two come by different ways, one of some is enough to see it.
    for (let i = 0; i < 5; i++) {
      const heard: string[] = [];
      const thread = platform.spawnThread(THREAD, { memoryMb: 256 }, {
        message: (text) => void heard.push(text),
        ended: ({ message }) => void heard.push(message),
      });
      t.after(() => thread.terminate());
      await eventually(() => heard.length === 1);
      thread.post("last:3000");
      await eventually(() => assert.equal(heard.length, 3002));
      assert.equal(heard.at(-1), "said all");
    }
  });

  test("spawnThread() tells of a module that is not there", async (t) => {
    const { said, ended } = start(t, await load(), pathToFileURL(join(tempDir(), "nowhere.ts")));
    await eventually(() => ended.length > 0);
    assert.match(ended[0].message, /nowhere\.ts/);
    assert.deepEqual(said, []);
  });

  test("terminate() of an idle thread ends it without a word", async (t) => {
    const platform = await load();
    const [gone, other] = await Promise.all([ready(t, platform), ready(t, platform)]);
    // Deno's word cannot be had: see runtime/platform/deno.ts.
    assert.equal(await gone.thread.terminate(), platform.name !== "deno");
    gone.thread.post("echo:anybody there?");
    other.thread.post("echo:here");
    await eventually(() => other.said.length === 1);
    assert.deepEqual([gone.said, gone.ended], [[], []]);
  });

  test("terminate() of a busy thread answers, truthfully where the runtime can tell", async (t) => {
    const platform = await load();
    const { output } = await run(t, platform, terminatesBusy(platform.name));
    assert.equal(output, `busy ${platform.name !== "deno"} ${platform.name}`);
  });

  test("terminate() of a thread that has ended already answers too", async (t) => {
    const { thread, ended } = await ready(t, await load());
    thread.post("throw:over");
    await eventually(() => ended.length === 1);
    assert.equal(typeof await thread.terminate(), "boolean");
    assert.equal(typeof await thread.terminate(), "boolean");
    assert.equal(ended.length, 1);
  });
}
