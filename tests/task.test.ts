import assert from "node:assert/strict";
import { copyFileSync, mkdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import process from "node:process";
import { fileURLToPath, pathToFileURL } from "node:url";
import { z } from "zod";
import type { Client } from "../runtime/client.ts";
import { DispatcherError } from "../runtime/errors.ts";
import {
  ArgumentsError,
  checkArgs,
  definitionOf,
  type Published,
  setTaskPublisher,
  type StandardSchema,
  task,
  TASK_BRAND,
  type TaskContext,
} from "../runtime/task.ts";
import { taskPublisher } from "../runtime/task_publisher.ts";
import { tempDir, test, type TestContext } from "./harness.ts";

const TASK_MODULE = new URL("../runtime/task.ts", import.meta.url);

/** A task module somewhere below `tasks/` of a fresh directory; gives its URL. */
function moduleAt(path: string, body: string): URL {
  const file = join(tempDir(), path);
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, `import { task } from ${JSON.stringify(TASK_MODULE.href)};\n${body}\n`);
  return pathToFileURL(file);
}

/** What the client is asked to publish while the test runs. */
function published(t: TestContext): unknown[][] {
  const calls: unknown[][] = [];
  const client = {
    publish(...call: unknown[]) {
      calls.push(call);
      return Promise.resolve({ uuid: "u" } as Published<unknown>);
    },
  } as unknown as Client;
  setTaskPublisher(() => Promise.resolve(taskPublisher(client)));
  t.after(() => setTaskPublisher(() => Promise.reject(new Error("No publisher"))));
  return calls;
}

test("task() of a function is still called directly", async () => {
  const add = task((a: number, b: number) => a + b);
  assert.equal(add(1, 1), 2);
  const slow = task(async (text: string) => await Promise.resolve(text.toUpperCase()));
  assert.equal(await slow("x"), "X");
});

test("task() of a class makes an instance for each call", () => {
  let made = 0;
  class Counter {
    readonly number = ++made;
    run(prefix: string) {
      return `${prefix}${this.number}`;
    }
  }
  const count = task(Counter);
  assert.deepEqual([count("a"), count("a")], ["a1", "a2"]);
  assert.equal(count.name, "Counter");
});

test("task() lets what the function throws through", () => {
  const fail = task(() => {
    throw new RangeError("no");
  });
  assert.throws(() => fail(), RangeError);
});

test("task() with bind gives a direct call a context of its own", () => {
  const seen: TaskContext[] = [];
  const bound = task({ bind: true }, (context, word: string) => {
    seen.push(context);
    context.progress({ half: true });
    return word;
  });
  assert.equal(bound("x"), "x");
  bound("y");
  const [first, second] = seen;
  assert.match(first.uuid, /^[0-9a-f-]{36}$/);
  assert.notEqual(first.uuid, second.uuid);
  assert.deepEqual([first.attempt, first.workerId, first.signal.aborted], [1, "local", false]);
});

test("task() with bind gives a class's run() the context too", () => {
  class Walker {
    run(context: TaskContext, dir: string) {
      return `${context.attempt} ${dir}`;
    }
  }
  assert.equal(task({ bind: true }, Walker)("d"), "1 d");
});

test("task() keeps its options and refuses what is no function", () => {
  const options = { timeout: 5, maxAttempts: 3, priority: -1, queue: "node-1" };
  assert.deepEqual(task(options, () => 1).options, options);
  for (const [target, kind] of [[5, "number"], [null, "null"], [{}, "object"], ["x", "string"]] as const) {
    assert.throws(
      () => task(target as never),
      new TypeError(`Cannot make a task of ${kind}: pass a function or a class`),
    );
  }
});

test("definitionOf() knows tasks by their brand and nothing else", () => {
  const add = task((a: number, b: number) => a + b);
  assert.equal(definitionOf(add)?.invoke(1, 2), 3);
  assert.equal(TASK_BRAND as symbol, Symbol.for("edge-dispatcher.task"));
  for (const other of [() => 1, class {}, {}, { [TASK_BRAND]: {} }, null, undefined, "add", 5]) {
    assert.equal(definitionOf(other), undefined);
  }
});

test("definitionOf() knows a task that another copy of the module made", async () => {
  const copies = [join(tempDir(), "one.ts"), join(tempDir(), "two.ts")];
  for (const copy of copies) copyFileSync(fileURLToPath(TASK_MODULE), copy);
  const [one, two] = await Promise.all(copies.map((copy) => import(pathToFileURL(copy).href)));
  assert.notEqual(one.task, task);
  assert.notEqual(one.task, two.task);
  const made = one.task({ timeout: 7 }, () => "made by one");
  for (const known of [definitionOf(made), two.definitionOf(made)]) {
    assert.equal(known?.invoke(), "made by one");
    assert.equal(known?.options.timeout, 7);
  }
});

test("task() knows the module that called it, wherever that lies", async () => {
  const body =
    `export default task(() => 1); const inner = () => task({ timeout: 1 }, () => 2); export const two = inner();`;
  for (const path of ["tasks/plain.ts", "my project (x) é/tasks/sub/spaced.ts", "a,b;c@d+e/tasks/odd.mjs"]) {
    const url = moduleAt(path, body);
    const module = await import(url.href);
    assert.equal(definitionOf(module.default)?.module, url.href);
    assert.equal(definitionOf(module.two)?.module, url.href);
  }
});

test("checkArgs() gives the arguments as the schema leaves them", async () => {
  const schema = z.tuple([z.string().transform((text) => text.length), z.number().default(7)]);
  assert.deepEqual(await checkArgs(schema as StandardSchema<unknown[]>, ["four"], "a"), [4, 7]);
});

test("checkArgs() names task, path and value of what does not fit", async () => {
  const schema = z.tuple([z.string(), z.object({ size: z.number().max(10) })]) as StandardSchema<unknown[]>;
  const cases: [unknown[], RegExp][] = [
    [["a", { size: 11 }], /^Arguments of "t" do not fit its schema: args\[1\.size\] 11: Too big/],
    [[5, { size: 1 }], /^Arguments of "t" do not fit its schema: args\[0\] 5: .*expected string/],
    [["a", {}], /args\[1\.size\] undefined: /],
    [["a"], /^Arguments of "t" do not fit its schema: args/],
  ];
  for (const [args, expected] of cases) {
    await assert.rejects(checkArgs(schema, args, "t"), (error: Error) => {
      assert.ok(error instanceof ArgumentsError);
      assert.match(error.message, expected);
      return true;
    });
  }
});

test("checkArgs() takes a schema that answers later and one that gives path segments", async () => {
  const schema: StandardSchema<unknown[]> = {
    "~standard": {
      validate: () => Promise.resolve({ issues: [{ message: "too odd", path: [{ key: 0 }, "name"] }] }),
    },
  };
  await assert.rejects(checkArgs(schema, [{ name: "x" }], "t"), /args\[0\.name\] "x": too odd$/);
});

test("applyAsync() and delay() publish under the task's path", async (t) => {
  const calls = published(t);
  const url = moduleAt(
    "tasks/mail/send.ts",
    `export default task(() => 1); export const later = task(() => 2);`,
  );
  const { default: send, later } = await import(url.href);
  await send.delay(1, 2);
  await send.applyAsync([3]);
  await later.applyAsync({ args: [4], queue: "node-1", delay: 5 });
  await later.applyAsync({});
  assert.deepEqual(calls.map(([name, args]) => [name, args]), [
    ["mail/send", [1, 2]],
    ["mail/send", [3]],
    ["mail/send#later", [4]],
    ["mail/send#later", []],
  ]);
  const { queue, delay } = calls[2][2] as { queue: string; delay: number };
  assert.deepEqual([queue, delay], ["node-1", 5]);
});

test("applyAsync() publishes with the task's options unless the call says otherwise", async (t) => {
  const calls = published(t);
  const queue = (tenant: string) => `tenant-${tenant}`;
  const send = task(
    {
      name: "send",
      queue,
      timeout: 9,
      priority: 2,
      maxAttempts: 4,
      resources: { gpu: 1 },
      preemptible: true,
    },
    (tenant: string) => tenant,
  );
  await send.delay("a");
  await send.applyAsync({ args: ["b"], timeout: 1, queue: "other" });
  const own = { priority: 2, maxAttempts: 4, resources: { gpu: 1 }, preemptible: true };
  assert.deepEqual(calls[0], ["send", ["a"], { queue: "tenant-a", timeout: 9, ...own }]);
  assert.deepEqual(calls[1], ["send", ["b"], { queue: "other", timeout: 1, ...own }]);
});

test("applyAsync() refuses arguments against the schema before anything is published", async (t) => {
  const calls = published(t);
  // The types flow from the schema: n is a number.
  const double = task({ name: "double", args: z.tuple([z.number()]) }, (n) => n * 2);
  await assert.rejects(double.applyAsync(["two"] as never), (error: Error) => {
    assert.ok(error instanceof DispatcherError);
    assert.equal(error.code, "invalid_args");
    assert.match(error.message, /^Cannot publish "double": .*args\[0\] "two": /);
    return true;
  });
  assert.deepEqual(calls, []);
});

test("applyAsync() says when it cannot tell the name of a task", async (t) => {
  published(t);
  const nowhere = (await import(moduleAt("elsewhere/x.ts", "export default task(() => 1);").href)).default;
  await assert.rejects(nowhere.delay(), /lies under no tasks root; give task\(\{ name \}\)$/);
  const hidden = await import(
    moduleAt("tasks/x.ts", "const t = task(() => 1); export const run = () => t.delay();").href
  );
  await assert.rejects(hidden.run(), /Cannot tell the name of a task defined in x: it is not exported/);
});

test("applyAsync() takes the tasks root from DISPATCHER_TASKS", async (t) => {
  const calls = published(t);
  const url = moduleAt("jobs/a/b.ts", "export default task(() => 1);");
  const before = process.env.DISPATCHER_TASKS;
  t.after(() => {
    if (before === undefined) delete process.env.DISPATCHER_TASKS;
    else process.env.DISPATCHER_TASKS = before;
  });
  process.env.DISPATCHER_TASKS = fileURLToPath(new URL("..", url));
  await (await import(url.href)).default.delay();
  assert.equal(calls[0][0], "a/b");
});
