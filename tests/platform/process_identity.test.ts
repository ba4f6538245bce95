import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { readFileSync } from "node:fs";
import process from "node:process";
import { isKnownDead, processIdentity } from "../../runtime/platform/process_identity.ts";
import { test, type TestContext } from "../harness.ts";

const skip = process.platform !== "linux" && "reads /proc";

/** A process that lives until it is killed. */
async function child(t: TestContext, command = ["cat"]) {
  const proc = spawn(command[0], command.slice(1), { stdio: ["pipe", "pipe", "ignore"] });
  t.after(() => proc.kill("SIGKILL"));
  await new Promise((resolve, reject) => proc.once("spawn", () => resolve(true)).once("error", reject));
  const spoke = new Promise((resolve) => proc.stdout.once("data", resolve));
  const end = async () => {
    const gone = new Promise((resolve) => proc.once("exit", resolve));
    proc.kill("SIGKILL");
    await gone;
  };
  return { pid: proc.pid!, spoke, end };
}

test("processIdentity() is the same each time, and that of this process unless told", () => {
  assert.equal(processIdentity(), processIdentity());
  assert.equal(processIdentity(), processIdentity(process.pid));
});

test("processIdentity() names boot, process namespace and start time", { skip }, () => {
  assert.match(processIdentity(), /^[0-9a-f-]{36}\/pid:\[\d+\]\/\d+$/);
});

test(
  "processIdentity() is not fooled by a process whose name has spaces and parentheses",
  { skip },
  async (t) => {
    const name = "x) S 1 1 (y z";
    const script = `printf '${name}' > /proc/self/comm; echo; read -r line`;
    const { pid, spoke } = await child(t, ["/bin/bash", "-c", script]);
    await spoke;
    assert.equal(readFileSync(`/proc/${pid}/comm`, "utf8"), `${name}\n`);
    const [before, after] = [processIdentity(pid), processIdentity(pid)];
    assert.equal(before, after);
    assert.match(before, /\/\d+$/);
    assert.equal(isKnownDead(before, pid), false);
  },
);

test("isKnownDead() is false of a living process, true after its end", { skip }, async (t) => {
  const { pid, end } = await child(t);
  const identity = processIdentity(pid);
  assert.equal(isKnownDead(identity, pid), false);
  await end();
  assert.equal(isKnownDead(identity, pid), true);
});

test("isKnownDead() is true when the pid is somebody else's by now", { skip }, () => {
  const own = processIdentity();
  const earlier = own.replace(/\d+$/, "1");
  assert.notEqual(earlier, own);
  assert.equal(isKnownDead(earlier, process.pid), true);
});

test("isKnownDead() is false of what it cannot know: another machine, boot or namespace", { skip }, () => {
  const [boot, namespace, start] = processIdentity().split("/");
  const free = 2 ** 22 + 1;
  const others = [
    `00000000-0000-0000-0000-000000000000/${namespace}/${start}`,
    `${boot}/pid:[1]/${start}`,
    "unknown/4711",
    "",
    `${boot}/${namespace}`,
  ];
  for (const identity of others) assert.equal(isKnownDead(identity, free), false, identity);
});
