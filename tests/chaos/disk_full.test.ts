import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { chmodSync, chownSync, mkdirSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { connect } from "../../mod.ts";
import { eventually, tempDir, test, type TestContext } from "../harness.ts";
import { FIXTURES } from "../integration/cluster.ts";
import { nodeFor } from "../integration/site.ts";
import { admin, ownServer, times } from "./node_on.ts";

const SIZE_MB = 24;

/** A folder on a disk of its own, or why there can be none. */
function smallDisk(): string {
  const dir = join(tempDir(), "disk");
  mkdirSync(dir);
  const { status, stderr } = spawnSync("mount", ["-t", "tmpfs", "-o", `size=${SIZE_MB}m`, "tmpfs", dir], {
    encoding: "utf8",
  });
  if (status !== 0) throw new Error(`mount: ${stderr}`);
  return dir;
}

function cannotMount(): string | false {
  if (process.platform !== "linux" || process.getuid?.() !== 0) return "needs root to mount a small disk";
  try {
    unmount(smallDisk());
    return false;
  } catch (error) {
    return `cannot mount a small disk: ${(error as Error).message.trim()}`;
  }
}

function unmount(dir: string): void {
  spawnSync("umount", ["-l", dir]);
}

/** A database whose tables lie on a small disk; only they: the log of the server does not. */
async function site(t: TestContext) {
  const disk = smallDisk();
  t.after(() => unmount(disk));
  const server = await ownServer(t);
  const sql = admin(t, server.url);
  const [{ dir }] = await sql`select current_setting('data_directory') dir`;
  const { uid, gid } = statSync(dir);
  chownSync(disk, uid, gid);
  chmodSync(disk, 0o700);
  await sql.unsafe(`create tablespace small location '${disk}'`);
  await sql.unsafe("create database full_disk tablespace small");
  const url = new URL(server.url);
  url.pathname = "/full_disk";
  return { url: url.href };
}

test(
  "a full disk: publishing is refused with a reason, nothing is lost, and it goes on when there is space",
  {
    skip: cannotMount(),
    timeout: 120_000,
  },
  async (t) => {
    const { url } = await site(t);
    const client = await connect({ databaseUrl: url });
    t.after(() => client.close());
    const node = await nodeFor(t, url, ["--node", "one", "--tasks", FIXTURES, "--workers", "2"]);
    const gate = join(tempDir(), "gate");
    const held = await Promise.all([1, 2].map((n) => client.publish("waits#gate", [gate, n])));
    for (const { uuid } of held) {
      await eventually(async () => assert.equal((await client.find(uuid))[0].progress, "waiting"));
    }
    const sql = admin(t, url);
    await sql`create table filler (text text)`;
    await sql`alter table filler alter column text set storage external`;
    for (let full = false; !full;) {
      await sql`insert into filler select repeat('x', 7000) from generate_series(1, 20)`.catch((error) => {
        assert.equal(error.code, "53100");
        full = true;
      });
    }
    // What is left in pages that were begun is used up by the calls themselves.
    const said = new Set<string>();
    const acknowledged: string[] = [];
    await eventually(async () => {
      const big = "y".repeat(7_000);
      const { uuid } = await client.publish("context", [big]).catch((error) => {
        said.add(`${error.code} ${error.message}`);
        return { uuid: undefined };
      });
      if (uuid) acknowledged.push(uuid);
      assert.ok(said.size > 0);
    }, { within: 30_000, every: 1 });
    for (const text of said) assert.match(text, /^53100 could not extend file .*: No space left on device$/);
    writeFileSync(gate, "");
    await sql`drop table filler`;
    const after = await client.publish("waits#gate", [gate, "after"]);
    for (const { uuid } of [...held, after]) {
      const row = await eventually(async () => {
        const [row] = await client.find(uuid);
        assert.equal(row.state, "completed");
        return row;
      }, { within: 40_000 });
      assert.deepEqual([row.attempt, row.attempts.length], [1, 1]);
    }
    for (const uuid of acknowledged) {
      await eventually(async () => assert.match((await client.find(uuid))[0].state, /^completed$/), {
        within: 40_000,
      });
    }
    const told = node.stderr();
    assert.equal(times(told, "Database does not answer:"), times(told, "Database answers again"), told);
  },
);
