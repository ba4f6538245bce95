import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";
import { loadConfig } from "../runtime/config.ts";
import type { Tree } from "../runtime/config_file.ts";
import { fromDispatcherd, isDispatcherd } from "../runtime/dispatcherd_config.ts";
import { DispatcherError } from "../runtime/errors.ts";
import { test } from "./harness.ts";

const FILE = fileURLToPath(new URL("fixtures/dispatcher.yml", import.meta.url));
const pg = (config: Tree) => fromDispatcherd({ brokers: { pg_notify: { config } } });

test("loadConfig() takes over what means the same in a dispatcher.yml", async () => {
  const { config, origins } = await loadConfig({ env: {}, file: FILE });
  const { pool } = config;
  assert.deepEqual([pool.min_workers, pool.max_workers, pool.scaledown_wait], [2, 12, 20]);
  assert.deepEqual([pool.worker_max_lifetime_seconds, pool.worker_removal_wait], [7200, 60]);
  assert.deepEqual([config.node, config.queues], ["awx_1", ["tower_settings_change"]]);
  assert.deepEqual(config.broadcast_channels, ["tower_broadcast_all"]);
  assert.equal(config.database_url, "postgres://awx:p's%20w@db.local:5433/awx");
  assert.deepEqual([config.self_check_seconds, config.self_check_timeout, config.idle_seconds], [15, 3, 5]);
  assert.equal(config.socket_path, "/var/run/awx/dispatcherd.sock");
  assert.equal(config.chunk_message_timeout_seconds, 600);
  const { "awx.main.tasks.system.cluster_node_heartbeat": beat, ...others } = config.schedules;
  assert.deepEqual([beat.every, beat.scope, beat.timeout, beat.on_duplicate], [60, "node", 50, "queue_one"]);
  assert.deepEqual(Object.keys(others), ["awx.main.tasks.system.gather_analytics"]);
  assert.deepEqual(config.on_start.map(({ task, scope }) => [task, scope]), [
    ["awx.main.tasks.system.dispatch_startup", "node"],
  ]);
  assert.equal(origins["pool.max_workers"], "file");
});

test("loadConfig() warns of each key of a dispatcher.yml that has no meaning here, by its path", async () => {
  const { warnings } = await loadConfig({ env: {}, file: FILE });
  const keys = warnings.map((text) => /^Configuration key "(.*)" has no meaning here/.exec(text)?.[1]);
  assert.deepEqual(keys, [
    "service.pool_kwargs.worker_stop_wait",
    "service.metrics_kwargs.host",
    "service.metrics_kwargs.port",
    "brokers.pg_notify.config.application_name",
    "brokers.pg_notify.sync_connection_factory",
    undefined,
    "brokers.pg_notify.default_publish_channel",
    "producers.ScheduledProducer.task_schedule.awx.main.tasks.system.gather_analytics.jitter",
    'producers.ScheduledProducer.task_schedule.lambda: print("hello")',
    "producers.ControlProducer",
    "publish.default_broker",
    "worker.on_start",
  ]);
  assert.equal(
    warnings[keys.indexOf(undefined)],
    'Channel "tower_broadcast_all" in "brokers.pg_notify.channels.0" is taken for one whose messages every node ' +
      "runs: name it in `queues` of a configuration of ours if one node is to run each",
  );
  assert.match(warnings[0], /: `shutdown_wait` is the time that running tasks have$/);
});

test("fromDispatcherd() takes channels by their names: shared, or run by every node", () => {
  const channels = (given: unknown[]) => fromDispatcherd({ brokers: { pg_notify: { channels: given } } });
  const { tree, warnings } = channels(["a", "Broadcast_x", "b", "broadcast", "a"]);
  assert.deepEqual(tree, { queues: ["a", "b"], broadcast_channels: ["Broadcast_x"] });
  assert.equal(warnings.length, 2);
  assert.deepEqual(channels(["all_broadcast"]).tree, { broadcast_channels: ["all_broadcast"] });
  assert.deepEqual(channels(["a", 7]).tree, { queues: ["a", 7] }, "the schema refuses what is no name");
});

test("fromDispatcherd() reads a connection by parts, which go before conninfo", () => {
  assert.equal(
    pg({ conninfo: "host=a dbname=x", host: "b", port: 5433, user: "me", password: "p", sslmode: "require" })
      .tree
      .database_url,
    "postgres://me:p@b:5433/x?sslmode=require",
  );
  assert.equal(pg({ conninfo: "postgresql://me@a/x" }).tree.database_url, "postgresql://me@a/x");
});

test("fromDispatcherd() refuses a broken conninfo without showing it", () => {
  assert.throws(() => pg({ conninfo: "host=a password='hunter2" }), (error) => {
    assert.ok(error instanceof DispatcherError && error.code === "config");
    return !error.message.includes("hunter2") && error.message.includes("brokers.pg_notify.config.conninfo");
  });
});

test("fromDispatcherd() leaves our defaults where nothing is named, and one worker below a small maximum", () => {
  assert.deepEqual(fromDispatcherd({ service: {} }).tree, {});
  const { tree } = fromDispatcherd({ service: { pool_kwargs: { max_workers: 2 } } });
  assert.deepEqual(tree.pool, { max_workers: 2, min_workers: 1 });
});

test("isDispatcherd() needs version 2 and a section", () => {
  assert.deepEqual(
    [{ version: 2, service: {} }, { version: 2 }, { version: 1, service: {} }, { service: {} }].map(
      isDispatcherd,
    ),
    [true, false, false, false],
  );
});
