// @runtimes bun
/** A changed setting on three nodes with several workers each, one of them cut off meanwhile. */
import assert from "node:assert/strict";
import { writeSetting } from "../../../tasks/jobs/model/settings.ts";
import { test } from "../../harness.ts";
import { TcpProxy } from "../../harness/tcp_proxy.ts";
import { awxCluster } from "./nodes.ts";

const NODES = ["one", "two", "three"];
const WORKERS = 3;

interface Seen {
  worker: string;
  at: number;
  before: number[];
}

test("every worker of every node sees a changed setting, also on a node that was cut off meanwhile", {
  timeout: 120_000,
}, async (t) => {
  const site = await awxCluster(t);
  const proxy = await TcpProxy.before(t, site.url);
  await Promise.all(NODES.map((name) =>
    site.start(name, {
      workers: WORKERS + 1,
      url: name === "three" ? proxy.url : site.url,
      config: { lease_seconds: 30, heartbeat_seconds: 0.5, leader_seconds: 5, safety_poll_seconds: 1 },
    })
  ));
  const readers = await Promise.all(
    NODES.flatMap((queue) =>
      Array.from({ length: WORKERS }, () => site.client.publish<Seen>("reads_setting", [7], { queue }))
    ),
  );
  // All of them have the old value.
  for (const { uuid } of readers) await site.until(uuid, ({ progress }) => progress === 100);
  await proxy.refuse();
  const changed = Date.now();
  await writeSetting(site.sql, "START_TASK_LIMIT", 7);
  const told = await site.client.publish<Record<string, unknown>>(
    "system/handle_setting_changes",
    [["START_TASK_LIMIT"]],
    { queue: "broadcast" },
  );
  const near = readers.slice(0, 2 * WORKERS);
  const seen = await Promise.all(near.map((reader) => reader.result({ within: 30 })));
  const [cut] = readers.slice(2 * WORKERS);
  assert.equal((await site.row(cut.uuid)).state, "running", "the node that is cut off cannot know");
  const healed = Date.now();
  await proxy.heal();
  const far = await Promise.all(readers.slice(2 * WORKERS).map((reader) => reader.result({ within: 30 })));
  assert.equal(new Set([...seen, ...far].map(({ worker }) => worker)).size, NODES.length * WORKERS);
  for (const { at, before } of [...seen, ...far]) {
    assert.deepEqual(before, [100], "no value but the old one came before");
    assert.ok(at >= changed);
  }
  for (const { at } of far) assert.ok(at >= healed, "it saw it when it was back");
  // Where a worker was free, that one was told.
  assert.deepEqual(Object.keys(await told.result({ within: 30 })).sort(), [...NODES].sort());
});
