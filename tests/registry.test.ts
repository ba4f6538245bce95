import assert from "node:assert/strict";
import { mkdirSync, symlinkSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { readName, Registry, type RegistryOptions, UnknownTaskError } from "../runtime/registry.ts";
import { tempDir, test } from "./harness.ts";

const TASK_MODULE = new URL("../runtime/task.ts", import.meta.url).href;

/** Paths of the modules that were imported, in order: each of them writes its own down. */
const imported: string[] = [];
(globalThis as { importedModules?: string[] }).importedModules = imported;

/** Files below a directory; each tells when it is imported. `TASK` stands for a task that gives its own path. */
function files(dir: string, contents: Record<string, string>): void {
  for (const [path, body] of Object.entries(contents)) {
    const file = join(dir, path);
    mkdirSync(dirname(file), { recursive: true });
    const made = body.replaceAll(
      /TASK\((\w+)\)/g,
      (_, name) => `task(() => ${JSON.stringify(`${path} ${name}`)})`,
    );
    writeFileSync(
      file,
      `import { task } from ${JSON.stringify(TASK_MODULE)};
      globalThis.importedModules.push(${JSON.stringify(file)});\n${made}\n`,
    );
  }
}

/** A registry over a fresh root; `base` is the directory that the root lies in. */
function registry(contents: Record<string, string>, options: Partial<RegistryOptions> = {}) {
  const base = tempDir();
  const root = join(base, "tasks");
  mkdirSync(root);
  files(root, contents);
  return { base, root, registry: new Registry({ root, ...options }) };
}

/** Load a name and run what was found: which module and export it is. */
async function found(tasks: Registry, name: string): Promise<[path: string, ran: unknown]> {
  const { path, definition } = await tasks.load(name);
  return [path, definition.invoke()];
}

async function refusal(tasks: Registry, name: string): Promise<string> {
  const before = imported.length;
  try {
    await tasks.load(name);
  } catch (error) {
    assert.ok(error instanceof UnknownTaskError, `${JSON.stringify(name)}: ${error}`);
    assert.deepEqual(imported.slice(before), [], "what is refused is never imported");
    return error.message;
  }
  return "loaded";
}

const DEFAULT = "export default TASK(default);";

test("load() finds the default export and a named one by path", async () => {
  const { registry: tasks } = registry({
    "a/b.ts": `${DEFAULT} export const extra = TASK(extra);`,
    "top.ts": DEFAULT,
    "old.js": DEFAULT,
    "newer.mjs": DEFAULT,
  });
  assert.deepEqual(await found(tasks, "a/b"), ["a/b", "a/b.ts default"]);
  assert.deepEqual(await found(tasks, "a/b#default"), ["a/b", "a/b.ts default"]);
  assert.deepEqual(await found(tasks, "a/b#extra"), ["a/b#extra", "a/b.ts extra"]);
  assert.deepEqual(await found(tasks, "top"), ["top", "top.ts default"]);
  assert.deepEqual(await found(tasks, "old"), ["old", "old.js default"]);
  assert.deepEqual(await found(tasks, "newer"), ["newer", "newer.mjs default"]);
});

test("load() finds a dotted name, with the prefix of AWX and without", async () => {
  const { registry: tasks } = registry({
    "examples/add.ts": DEFAULT,
    "system.ts": "export const add = TASK(add);",
  });
  assert.deepEqual(await found(tasks, "examples.add"), ["examples/add", "examples/add.ts default"]);
  assert.deepEqual(await found(tasks, "awx.main.tasks.examples.add"), [
    "examples/add",
    "examples/add.ts default",
  ]);
  assert.deepEqual(await found(tasks, "awx.main.tasks.system.add"), ["system#add", "system.ts add"]);
});

test("load() reads system.add as a file of its own or as an export, the file first", async () => {
  const both = registry({ "system.ts": "export const add = TASK(add);", "system/add.ts": DEFAULT });
  assert.deepEqual(await found(both.registry, "system.add"), ["system/add", "system/add.ts default"]);
  const one = registry({ "system.ts": "export const add = TASK(add);" });
  assert.deepEqual(await found(one.registry, "system.add"), ["system#add", "system.ts add"]);
  const other = registry({ "system/add.ts": DEFAULT });
  assert.deepEqual(await found(other.registry, "system.add"), ["system/add", "system/add.ts default"]);
});

test("load() strips the configured prefixes only", async () => {
  const { registry: tasks } = registry({ "a.ts": DEFAULT, "awx/main/tasks/b.ts": DEFAULT }, {
    prefixes: ["my.app."],
  });
  assert.deepEqual(await found(tasks, "my.app.a"), ["a", "a.ts default"]);
  assert.deepEqual(await found(tasks, "awx.main.tasks.b"), [
    "awx/main/tasks/b",
    "awx/main/tasks/b.ts default",
  ]);
});

test("load() imports a module once", async () => {
  const { registry: tasks, root } = registry({ "once.ts": DEFAULT });
  const [one, two] = [await tasks.load("once"), await tasks.load("once")];
  assert.equal(one, two);
  assert.equal(imported.filter((file) => file === join(root, "once.ts")).length, 1);
});

test("load() refuses every name that leads out of the root, without importing anything", async () => {
  const { registry: tasks, base } = registry({ "in.ts": DEFAULT });
  files(base, { "out.ts": DEFAULT });
  const names = [
    "../out",
    "in/../../out",
    "./in",
    "in/../in",
    "..",
    ".",
    "",
    "/",
    `${base}/out`,
    `${base}/out.ts`,
    `file://${base}/out.ts`,
    "https://example.org/x.ts",
    "data:text/javascript,export default 1",
    "node:fs",
    "npm:left-pad",
    "..\\out",
    "in\\..\\..\\out",
    "C:\\out",
    "%2e%2e/out",
    "%2e%2e%2fout",
    "in\u0000",
    "\u0000/out",
    "in\n",
    "in.ts/",
    "in//in",
    "in/",
    "-in",
    "in#",
    "in#a#b",
    "in#1x",
    "in#a.b",
    "../out#default",
    "....out",
    ".out",
    "out.",
    "a..b",
    "~/out",
    "in?x=1",
    "ïn",
  ];
  for (const name of names) {
    assert.ok(
      (await refusal(tasks, name)).startsWith(`'${name}' is not a valid task: `),
      JSON.stringify(name),
    );
  }
});

test("load() refuses a link that leads out of the root, and follows one that stays inside", async () => {
  const { registry: tasks, base, root } = registry({ "in.ts": DEFAULT });
  files(base, { "out.ts": DEFAULT, "elsewhere/far.ts": DEFAULT });
  symlinkSync(join(base, "out.ts"), join(root, "link.ts"));
  symlinkSync(join(base, "elsewhere"), join(root, "dir"));
  symlinkSync("in.ts", join(root, "alias.ts"));
  symlinkSync("nowhere.ts", join(root, "dangling.ts"));
  for (const name of ["link", "dir/far", "dir.far"]) {
    assert.match(await refusal(tasks, name), /its file lies outside the tasks root$/);
  }
  assert.deepEqual(await found(tasks, "alias"), ["alias", "in.ts default"]);
  assert.match(await refusal(tasks, "dangling"), /no file dangling\.ts under the tasks root$/);
});

test("load() takes a root that is a link itself", async () => {
  const { root, base } = registry({ "in.ts": DEFAULT });
  symlinkSync(root, join(base, "linked"));
  assert.deepEqual(await found(new Registry({ root: join(base, "linked") }), "in"), ["in", "in.ts default"]);
});

test("load() is not fooled by a neighbour whose name begins like the root's", async () => {
  const { registry: tasks, base, root } = registry({ "in.ts": DEFAULT });
  files(base, { "tasks-private/secret.ts": DEFAULT });
  symlinkSync(join(base, "tasks-private"), join(root, "private"));
  assert.match(await refusal(tasks, "private/secret"), /outside the tasks root$/);
});

test("load() refuses what no allowed prefix begins, without importing it", async () => {
  const { registry: tasks } = registry(
    { "system/add.ts": DEFAULT, "private/add.ts": DEFAULT, "system.ts": "export const del = TASK(del);" },
    { allow: ["system/", "jobs/"] },
  );
  assert.deepEqual(await found(tasks, "system/add"), ["system/add", "system/add.ts default"]);
  for (const name of ["private/add", "private.add", "awx.main.tasks.private.add", "system"]) {
    assert.equal(
      await refusal(tasks, name),
      `'${name}' is not a valid task: only system/, jobs/ are allowed here`,
    );
  }
});

test("load() refuses what does not exist, naming where it looked", async () => {
  const { registry: tasks, root } = registry({ "in.ts": DEFAULT });
  mkdirSync(join(root, "folder.ts"));
  const cases: [string, string][] = [
    ["nothing", "no file nothing.ts under the tasks root"],
    ["a.b", "no file a/b.ts under the tasks root; no file a.ts under the tasks root"],
    ["in/below", "no file in/below.ts under the tasks root"],
    ["folder", "no file folder.ts under the tasks root"],
    ["x".repeat(300), `no file ${"x".repeat(300)}.ts under the tasks root`],
  ];
  for (const [name, why] of cases) {
    assert.equal(await refusal(tasks, name), `'${name}' is not a valid task: ${why}`);
  }
});

test("load() takes a link that leads to itself for no file", async () => {
  const { registry: tasks, root } = registry({ "in.ts": DEFAULT });
  symlinkSync("loop.ts", join(root, "loop.ts"));
  assert.match(await refusal(tasks, "loop"), /no file loop\.ts under the tasks root$/);
});

test("load() refuses an export that task() did not make", async () => {
  const { registry: tasks } = registry({
    "plain.ts": "export default () => 1; export const text = 'x'; export class Thing { run() {} }",
    "system.ts": "export const add = () => 1;",
  });
  const names = ["plain", "plain#text", "plain#Thing", "plain#missing", "plain#toString", "plain#__proto__"];
  for (const name of [...names, "system.add"]) {
    await assert.rejects(tasks.load(name), (error: Error) => {
      assert.ok(error instanceof UnknownTaskError, String(error));
      assert.match(error.message, / is not made by task\(\)$/);
      return true;
    });
  }
});

test("load() keeps the error of a module that throws when it is loaded", async () => {
  const { registry: tasks } = registry({
    "broken.ts": "throw new RangeError('broken at load');",
    "syntax.ts": "export default = ;",
    "lacking.ts": "import './not_there.ts';",
  });
  await assert.rejects(tasks.load("broken"), { name: "RangeError", message: "broken at load" });
  await assert.rejects(tasks.load("broken"), { name: "RangeError", message: "broken at load" });
  for (const name of ["syntax", "lacking"]) {
    await assert.rejects(tasks.load(name), (error: Error) => !(error instanceof UnknownTaskError));
  }
});

test("Registry refuses a root that is not there", () => {
  assert.throws(() => new Registry({ root: join(tempDir(), "nowhere") }), /ENOENT|no such file/i);
});

test("readName() gives every reading of a name, the best first", () => {
  const read = (name: string) => readName(name).map(({ path, exported }) => `${path}#${exported}`);
  assert.deepEqual(read("a/b"), ["a/b#default"]);
  assert.deepEqual(read("a/b#c"), ["a/b#c"]);
  assert.deepEqual(read("a"), ["a#default"]);
  assert.deepEqual(read("a.b.c"), ["a/b/c#default", "a/b#c"]);
  assert.deepEqual(read("awx.main.tasks.system.add"), ["system/add#default", "system#add"]);
  assert.deepEqual(read("awx.main.tasks.system"), ["system#default"]);
  assert.deepEqual(read("a#b"), ["a#b"]);
});
