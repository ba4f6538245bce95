import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { harmless } from "../../cli/io.ts";
import { type Runtime, runtimes, tempDir, test, type TestContext, thisRuntime } from "../harness.ts";

const MODULE = new URL("../../cli/io.ts", import.meta.url).href;
const FLAGS: Record<Runtime, string[]> = { deno: ["run", "-A", "-q"], bun: [], node: ["--no-warnings"] };
const noFull = process.platform !== "linux" && "no /dev/full";

/** A process of this runtime that runs `body` with processIO and flush() at hand; `through` is a shell's command. */
function child(t: TestContext, body: string, through?: string): ChildProcess {
  const file = join(tempDir(), "script.mjs");
  writeFileSync(file, `import { flush, processIO } from ${JSON.stringify(MODULE)};\n${body}`);
  const runtime = thisRuntime();
  const command = [runtimes()[runtime], ...FLAGS[runtime], file];
  const [program, ...args] = through === undefined ? command : ["/bin/sh", "-c", through, "sh", ...command];
  const made = spawn(program, args, { stdio: "pipe", env: { ...process.env, NO_COLOR: "1" } });
  t.after(() => made.kill("SIGKILL"));
  return made;
}

/** Gather what comes from now on; resolves at the end. */
async function textOf(stream: ChildProcess["stdout"]): Promise<string> {
  let text = "";
  for await (const piece of stream!.setEncoding("utf8")) text += piece;
  return text;
}

async function codeOf(made: ChildProcess): Promise<number | null> {
  if (made.exitCode === null) await once(made, "exit");
  return made.exitCode;
}

const MANY = `for (let i = 0; i < 50_000; i++) processIO.out("x".repeat(79));
  processIO.err("written");
  await flush();
  process.exit(7);`;

test("flush() waits for a reader that begins when all is written, of megabytes", async (t) => {
  const made = child(t, MANY);
  const [code, said] = [codeOf(made), once(made.stderr!, "data")];
  // Deno's writes wait for the reader, the others' for nothing.
  if (thisRuntime() !== "deno") await said;
  const text = await textOf(made.stdout);
  assert.equal(text.length, 50_000 * 80);
  assert.equal(`${await said}`, "written\n");
  assert.equal(await code, 7);
});

test("a reader of results that leaves ends the process in silence, with 0", async (t) => {
  const made = child(t, `for (;;) { processIO.out("x".repeat(79)); await new Promise(setImmediate); }`);
  const [code, said] = [codeOf(made), textOf(made.stderr)];
  await once(made.stdout!, "data");
  made.stdout!.destroy();
  assert.deepEqual([await code, await said], [0, ""]);
});

test("a reader of the log that leaves does not end the process, which then ends in order", async (t) => {
  const body = `const beat = setInterval(() => processIO.err("log"), 1);
    for await (const _ of processIO.stdin);
    clearInterval(beat);
    for (let i = 0; i < 100; i++) { processIO.err("log"); await new Promise(setImmediate); }
    processIO.out("done");
    await flush();
    process.exit(7);`;
  const made = child(t, body);
  const [code, text] = [codeOf(made), textOf(made.stdout)];
  await once(made.stderr!, "data");
  made.stderr!.destroy();
  made.stdin!.end();
  assert.deepEqual([await code, await text], [7, "done\n"]);
});

test("a result that cannot be written ends the process with 1 and a line", { skip: noFull }, async (t) => {
  const made = child(t, `processIO.out("x"); await flush(); process.exit(7);`, 'exec "$@" >/dev/full');
  const [code, said] = [codeOf(made), await textOf(made.stderr)];
  assert.match(said, /^Cannot write the result: .*no space left on device.*\n$/i);
  assert.equal(await code, 1);
});

test("a log that cannot be written does not harm the result", { skip: noFull }, async (t) => {
  const body = `processIO.err("x"); processIO.out("result"); await flush(); process.exit(7);`;
  const made = child(t, body, 'exec "$@" 2>/dev/full');
  const [code, text] = [codeOf(made), await textOf(made.stdout)];
  assert.equal(text, "result\n");
  assert.equal(await code, 7);
});

test("harmless() leaves text, tabs and line feeds, and escapes what steers a terminal", () => {
  const said: [text: string, shown: string][] = [
    ["", ""],
    ["grün 日本 \u{1f600} a\tb\nc", "grün 日本 \u{1f600} a\tb\nc"],
    ["\u001b[31mred", String.raw`\u001b[31mred`],
    ["a\rb", String.raw`a\u000db`],
    ["\u0000\u0007\u007f\u009b", String.raw`\u0000\u0007\u007f\u009b`],
  ];
  for (const [text, shown] of said) assert.equal(harmless(text), shown);
});

test("harmless() changes nothing of what JSON says", () => {
  const every = String.fromCharCode(...Array.from({ length: 0x300 }, (_, i) => i));
  const text = JSON.stringify({ [every]: every });
  assert.deepEqual(JSON.parse(harmless(text)), { [every]: every });
  // deno-lint-ignore no-control-regex
  assert.doesNotMatch(harmless(text), /[\u0000-\u001f\u007f-\u009f]/);
});

test("what is written comes in the order it was written, on its own stream", async (t) => {
  const body =
    `processIO.out("1"); processIO.err("a"); processIO.out("2\\n3"); processIO.err("b"); await flush();`;
  const made = child(t, body);
  const code = codeOf(made);
  assert.deepEqual(await Promise.all([textOf(made.stdout), textOf(made.stderr)]), ["1\n2\n3\n", "a\nb\n"]);
  assert.equal(await code, 0);
});
