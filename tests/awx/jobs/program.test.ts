/** Programs of a job: their end, their output, and what they leave behind. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { eventually, tempDir, test, type TestContext } from "../../harness.ts";
import { isRunning } from "../../processes_below.ts";
import { environment } from "../../../tasks/jobs/run/environment.ts";
import { Guard } from "../../../tasks/jobs/run/guard.ts";
import { NoProgram, run, type Watch } from "../../../tasks/jobs/run/program.ts";

function guardOf(t: TestContext): Guard {
  const guard = new Guard(join(tempDir(), "none"));
  t.after(() => guard.close());
  return guard;
}

const sh = (script: string) => ({ file: "sh", args: ["-c", script], cwd: "/", env: environment() });
const NEVER = new AbortController().signal;

test("run() gives the exit, and all that was printed, however slowly it is taken", async (t) => {
  const guard = guardOf(t);
  let text = "";
  const slowly: Watch["output"] = async (more) => {
    await new Promise((taken) => setTimeout(taken, 300));
    text += more;
  };
  const script = "seq 20000; echo err >&2; exit 3";
  const exit = await run(sh(script), { guard, signal: NEVER, output: slowly });
  assert.deepEqual(exit, { code: 3, late: false });
  assert.ok(text.endsWith("20000\nerr\n"), text.slice(-20));
  const killed = await run(sh("kill -9 $$"), { guard, signal: NEVER, output: () => {} });
  assert.equal(killed.code, 137);
});

test("run() ends at the deadline, and when its output cannot be taken", async (t) => {
  const guard = guardOf(t);
  const deadline = performance.now() + 200;
  const late = await run(sh("sleep 300"), { guard, signal: NEVER, deadline, output: () => {} });
  assert.deepEqual(late, { code: 143, late: true });
  const full = new Error("full");
  await assert.rejects(
    run(sh("echo; sleep 300"), { guard, signal: NEVER, output: () => Promise.reject(full) }),
    full,
  );
  const missing = { ...sh(""), file: "no-such" };
  await assert.rejects(run(missing, { guard, signal: NEVER, output: () => {} }), NoProgram);
});

test("run() does not wait for what was left with the output open; the guard ends that", async (t) => {
  const guard = guardOf(t);
  const file = join(tempDir(), "pids");
  // The first is found in its group, the second by its mark, the third by nobody.
  const script = `sleep 300 & echo $! > ${file}; setsid sleep 300 & echo $! >> ${file}
    env -i setsid sleep 300 & echo $! >> ${file}; echo done`;
  let text = "";
  const exit = await run(sh(script), { guard, signal: NEVER, output: (more) => void (text += more) });
  assert.deepEqual([exit, text], [{ code: 0, late: false }, "done\n"]);
  const [first, second, third] = readFileSync(file, "utf8").trim().split("\n").map(Number);
  await guard.close();
  await eventually(() => !isRunning(first) && !isRunning(second), { within: 5_000 });
  // `setsid` may have made another process of itself, of the same group.
  if (isRunning(third)) process.kill(third, "SIGKILL");
});

test("environment() has what programs need and nothing of ours", () => {
  const { DATABASE_URL, AWX_SECRET_KEY } = process.env;
  Object.assign(process.env, {
    DATABASE_URL: "postgres://u:p@h/d",
    AWX_SECRET_KEY: "k",
    ANSIBLE_PIPELINING: "1",
  });
  try {
    const env = environment({ LANG: "C" });
    assert.deepEqual([env.PATH, env.LANG, env.ANSIBLE_PIPELINING], [process.env.PATH, "C", "1"]);
    assert.ok(!("DATABASE_URL" in env) && !("AWX_SECRET_KEY" in env) && !("DISPATCHER_NODE" in env));
  } finally {
    delete process.env.ANSIBLE_PIPELINING;
    for (const [name, value] of Object.entries({ DATABASE_URL, AWX_SECRET_KEY })) {
      if (value === undefined) delete process.env[name];
      else process.env[name] = value;
    }
  }
});
