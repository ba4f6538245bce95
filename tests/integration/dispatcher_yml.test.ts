/** A node that is started on a `dispatcher.yml` of dispatcherd. */
import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { tempDir, test } from "../harness.ts";
import { base, cli, nodeFor } from "./site.ts";

const YML = `
version: 2
service:
  pool_kwargs: { min_workers: 1, max_workers: 1, worker_stop_wait: 30 }
  main_kwargs: { node_id: awx_1 }
brokers:
  pg_notify:
    channels: [awx_1, tower_broadcast_all, tower_settings_change]
publish: { default_broker: pg_notify }
`;
const IGNORED =
  'Configuration key "service.pool_kwargs.worker_stop_wait" has no meaning here: `shutdown_wait` is the time that running tasks have';
const CHANNEL =
  'Channel "tower_broadcast_all" in "brokers.pg_notify.channels.1" is taken for one whose messages every node runs';

function yml(): string {
  const file = join(tempDir(), "dispatcher.yml");
  writeFileSync(file, YML);
  return file;
}

test("config check says on stderr what of a dispatcher.yml has no meaning, and that the rest is fine", async () => {
  const file = yml();
  const { code, stdout, stderr } = await cli(undefined, ["config", "check", "--config", file]);
  assert.deepEqual([code, stdout], [0, `ok ${file}\n`]);
  const lines = stderr.trimEnd().split("\n");
  assert.equal(lines.length, 3, stderr);
  assert.equal(lines[0], IGNORED);
  assert.ok(lines[1].startsWith(CHANNEL));
  assert.match(lines[2], /^Configuration key "publish\.default_broker" has no meaning here/);
});

test("a node on a dispatcher.yml warns of it on stderr, and hears its channels", async (t) => {
  const made = await base(t);
  const node = await nodeFor(t, made.url, ["--config", yml()]);
  assert.match(node.line, /^ready node=awx_1 .* min=1 max=1 queues=tower_settings_change,awx_1,broadcast /);
  for (const text of [IGNORED, CHANNEL]) assert.ok(node.stderr().includes(text), text);
  assert.ok(!node.stdout().includes("has no meaning"));
  const uuids = [crypto.randomUUID(), crypto.randomUUID()];
  for (const [i, channel] of ["tower_broadcast_all", "tower_settings_change"].entries()) {
    const message = JSON.stringify({ task: "examples.add", args: [1, i], uuid: uuids[i] });
    await made.sql`select pg_notify(${channel}, ${message})`;
  }
  const copy = await made.until(uuids[0], "completed");
  assert.deepEqual([copy.origin, copy.queue], [uuids[0], "awx_1"], "a copy of its own");
  assert.equal((await made.until(uuids[1], "completed")).queue, "tower_settings_change");
});
