import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { needs, runtimes, tempDir, test } from "../harness.ts";

const LAUNCHER = fileURLToPath(new URL("../../cli/launcher.mjs", import.meta.url));

function version(env: Record<string, string>) {
  const { status, stdout, stderr } = spawnSync(runtimes().node, ["--no-warnings", LAUNCHER, "--version"], {
    env: { PATH: process.env.PATH, ...env },
    encoding: "utf8",
  });
  return { status, stdout, stderr };
}

test("launcher keeps what Node compiled in the user's own cache, and says the same with it", {
  skip: needs("node"),
}, () => {
  const home = tempDir();
  const first = version({ HOME: home });
  assert.equal(first.status, 0, first.stderr);
  assert.ok(readdirSync(join(home, ".cache", "edge-dispatcher")).length > 0);
  assert.deepEqual(version({ HOME: home }), first);
  const cache = tempDir();
  version({ HOME: home, XDG_CACHE_HOME: cache });
  assert.deepEqual(readdirSync(cache), ["edge-dispatcher"]);
});

test("launcher does without a cache where it cannot write one", { skip: needs("node") }, () => {
  const home = join(tempDir(), "file");
  writeFileSync(home, "");
  const { status, stdout, stderr } = version({ HOME: home });
  assert.deepEqual([status, stderr], [0, ""]);
  assert.match(stdout, /^\d+\.\d+\.\d+\n$/);
});
