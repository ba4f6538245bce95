// @runtimes deno
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { tempDir, test } from "./harness.ts";

const ROOT = fileURLToPath(new URL("..", import.meta.url));
const HEAD = `
import { Retry, type StandardSchema, task, type TaskContext } from "edge-dispatcher";
declare const schema: StandardSchema<[name: string, count: number]>;
export const add = task((a: number, b: number) => a + b);
export const many = task((...words: string[]) => words.length);
export const checked = task({ args: schema }, (name, count) => name.repeat(count));
export const bound = task({ bind: true }, async (context, dir: string) => \`\${context.uuid}\${dir}\`);
class Adder {
  run(a: number, b: number) {
    return a + b;
  }
}
export const adder = task(Adder);
export const later = () => new Retry({ delay: 5 });
`;

const GOOD = `
const sum: number = add(1, 2);
const shouted: number = many("a", "b", "c");
const repeated: string = checked("a", 2);
const walked: Promise<string> = bound("dir");
const added: number = adder(1, 2);
export const calls = async () => {
  const one: number = await (await add.delay(1, 2)).result();
  await add.applyAsync([1, 2]);
  await add.applyAsync({ args: [1, 2], queue: "node-1", delay: 5, priority: -1 });
  await add.applyAsync({ args: [1], kwargs: { b: 2 } });
  await many.applyAsync({});
  const text: string = await (await bound.applyAsync(["dir"])).result({ within: 5 });
  const context: TaskContext | undefined = undefined;
  return [one, text, context, sum, shouted, repeated, walked, added];
};
export const patient = task({ backoff: { base: 5, jitter: 0 } }, () => 1);
export const computed = task({ backoff: (attempt, error) => error instanceof Error ? attempt : 60 }, () => 1);
export const routed = task({ queue: (node: string) => node, timeout: 5, maxAttempts: 3 }, (node: string) => node);
`;

/** What is wrong, and what the compiler must say about that line. */
const BAD: Record<string, [code: string, diagnostic: RegExp]> = {
  "a direct call with a text for a number": [
    `add("1", 2);`,
    /'string' is not assignable to parameter of type 'number'/,
  ],
  "a direct call with an argument missing": [`add(1);`, /Expected 2 arguments, but got 1/],
  "a direct call with an argument too many": [`add(1, 2, 3);`, /Expected 2 arguments, but got 3/],
  "delay() with a wrong argument": [
    `add.delay(1, "2");`,
    /'string' is not assignable to parameter of type 'number'/,
  ],
  "applyAsync() with wrong arguments": [`add.applyAsync(["1", 2]);`, /not assignable/],
  "applyAsync() with wrong args in its options": [`add.applyAsync({ args: [1, "2"] });`, /not assignable/],
  "applyAsync() with an unknown option": [
    `add.applyAsync({ args: [1, 2], timout: 5 });`,
    /'timout' does not exist/,
  ],
  "applyAsync() with an option of a wrong type": [
    `add.applyAsync({ args: [1, 2], queue: 5 });`,
    /not assignable/,
  ],
  "a class's run() with a wrong argument": [
    `adder("1", 2);`,
    /'string' is not assignable to parameter of type 'number'/,
  ],
  "a schema's argument of a wrong type": [
    `checked("a", "b");`,
    /'string' is not assignable to parameter of type 'number'/,
  ],
  "a bound task called with a context": [
    `bound({} as TaskContext, "dir");`,
    /Expected 1 arguments, but got 2/,
  ],
  "a result taken for something else": [
    `const s: string = await (await add.delay(1, 2)).result(); s;`,
    /'number' is not assignable to type 'string'/,
  ],
  "an unknown option of a task": [
    `task({ timout: 5 }, () => 1);`,
    /'timout' does not exist|No overload matches/,
  ],
  "a backoff that is no delay": [`task({ backoff: "5" }, () => 1);`, /not assignable|No overload matches/],
  "a Retry with an unknown option": [`new Retry({ dely: 5 });`, /'dely' does not exist|No overload matches/],
  "a queue function that returns no text": [
    `task({ queue: () => 5 }, () => 1);`,
    /not assignable|No overload matches/,
  ],
  "a task of no function": [`task(5);`, /'number' is not assignable to parameter/],
  "a word that is no text": [`many("a", 5);`, /'number' is not assignable to parameter of type 'string'/],
};

/** Check many files in one run; what the compiler says of each, by file. */
function check(files: Record<string, string>): Map<string, string> {
  const dir = tempDir();
  for (const [name, text] of Object.entries(files)) writeFileSync(join(dir, name), text);
  const args = ["check", "--quiet", "--no-lock", "--config", join(ROOT, "deno.json")];
  const paths = Object.keys(files).map((name) => join(dir, name));
  const env = { ...process.env, NO_COLOR: "1" };
  const { stderr } = spawnSync(process.execPath, [...args, ...paths], { cwd: ROOT, env, encoding: "utf8" });
  const said = new Map(Object.keys(files).map((name) => [name, ""]));
  let pending = "";
  for (const line of stderr.split("\n")) {
    pending = /^TS\d+ \[/.test(line) ? line : `${pending}\n${line}`;
    // Four spaces: deeper ones say where something else is declared.
    const place = /^ {4}at file:\/\/.*\/([^/]+\.ts):\d+:\d+$/.exec(line)?.[1];
    if (place === undefined) continue;
    assert.ok(said.has(place), `An error outside of the snippets:\n${stderr}`);
    said.set(place, said.get(place)! + pending);
    pending = "";
  }
  if (!stderr.includes("TS")) assert.equal(stderr.trim(), "", "the check itself failed");
  return said;
}

const names = Object.keys(BAD);
const fileOf = (name: string) => `bad${names.indexOf(name)}.ts`;
const bad = names.map((name) => [fileOf(name), `${HEAD}\n${BAD[name][0]}\n`]);
// One run of the compiler for all tests of this file: it costs seconds.
const said = Promise.resolve().then(() => check({ "good.ts": HEAD + GOOD, ...Object.fromEntries(bad) }));
said.catch(() => {});

test("deno check passes every right use of a task", async () => {
  assert.equal((await said).get("good.ts"), "");
});

for (const name of names) {
  test(`deno check refuses ${name}`, async () => {
    assert.match((await said).get(fileOf(name))!, BAD[name][1]);
  });
}
