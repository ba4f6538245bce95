/** What a job started ends with it, however its worker ends: on each runtime. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { eventually, test } from "../../harness.ts";
import { descendants, isRunning } from "../../processes_below.ts";
import { site, template } from "./site.ts";

test("host or node killed with -9: group, strays and private directory are gone; a stopped node says so", async (t) => {
  const own = await site(t, { config: { shutdown_wait: 0.1 } });
  const { run, job, ended } = own;
  const start = async (name: string) => {
    const file = join(own.dir, name);
    const script = `trap '' TERM; setsid sleep 300 & echo $! > ${file}; env -i sleep 300 & echo $! >> ${file}
      echo $$ >> ${file}; echo >> ${file}; wait`;
    const id = await run(await template(own, { command: ["sh", "-c", script] }));
    const pids = await eventually(() => {
      const text = readFileSync(file, "utf8");
      return text.endsWith("\n\n") && text.trim().split("\n").map(Number);
    }, { within: 20_000 }) as number[];
    assert.ok(pids.every(isRunning));
    return { id, pids };
  };
  const gone = async ({ pids }: { pids: number[] }) => {
    await eventually(() => !pids.some(isRunning), { within: 5_000, every: 20 });
    await eventually(() => own.privateDirs().length === 0, { within: 5_000, every: 20 });
  };

  const first = await start("first");
  const host = descendants(own.node.pid).find(({ parent }) => parent === own.node.pid)!;
  process.kill(host.pid, "SIGKILL");
  await gone(first);
  // Its verdict is the reaper's to write.
  assert.equal((await job(first.id)).status, "running");

  const second = await start("second");
  own.node.kill("SIGKILL");
  await gone(second);

  const node = await own.start();
  const third = await start("third");
  node.kill("SIGTERM");
  await gone(third);
  await node.exited;
  const { status, job_explanation } = await job(third.id);
  assert.deepEqual([status, job_explanation], ["error", 'Node "n1" was stopped while the job ran on it']);
  // Begun again by nobody.
  const again = await own.start();
  await ended(third.id);
  assert.equal((await job(third.id)).status, "error");
  await again.stop();
});
