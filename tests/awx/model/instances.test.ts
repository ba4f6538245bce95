// @runtimes deno
/** Instances, their groups, and settings. */
import assert from "node:assert/strict";
import {
  addMembers,
  deleteGroup,
  INSTANCE_GROUPS,
  listGroups,
  removeMembers,
} from "../../../tasks/jobs/model/instance_groups.ts";
import {
  changeInstance,
  deleteInstance,
  instanceByName,
  listInstances,
} from "../../../tasks/jobs/model/instances.ts";
import { listSettings, resetSetting } from "../../../tasks/jobs/model/settings_list.ts";
import { writeSetting } from "../../../tasks/jobs/model/settings.ts";
import { create } from "../../../tasks/jobs/model/table.ts";
import { JOB_TEMPLATES } from "../../../tasks/jobs/model/templates.ts";
import { test } from "../../harness.ts";
import { awxDatabase } from "../database.ts";

const SITE =
  `insert into awx.instance (hostname, cpu, memory_mb, cpu_capacity, mem_capacity, capacity, last_seen)
  values ('n1', 4, 8000, 16, 59, 59, clock_timestamp()), ('n2', 4, 8000, 16, 59, 59, '2020-01-01')`;

test("changeInstance() switches off and on, and adjusts between what cores and memory allow", async (t) => {
  const { sql } = await awxDatabase(t);
  await sql.unsafe(SITE);
  await sql.unsafe(
    `insert into awx.unified_job (kind, name, status, execution_node, task_impact)
     values ('job', 'a', 'running', 'n1', 6), ('job', 'b', 'waiting', 'n1', 2), ('job', 'c', 'failed', 'n1', 9)`,
  );
  assert.deepEqual(
    (await listInstances(sql)).map((
      { hostname, consumed, jobs, groups },
    ) => [hostname, consumed, jobs, groups]),
    [["n1", 8, 2, ["default"]], ["n2", 0, 0, ["default"]]],
  );
  const capacity = async (hostname: string, patch: unknown) =>
    (await changeInstance(sql, hostname, patch)).capacity;
  assert.equal(await capacity("n1", { enabled: false }), 0);
  assert.equal(await capacity("n1", { capacity_adjustment: 0.5 }), 0);
  assert.equal(await capacity("n1", { enabled: true }), 37);
  assert.equal(await capacity("n1", { capacity_adjustment: 0 }), 16);
  // Nothing was heard of it for long.
  assert.equal(await capacity("n2", { enabled: true }), 0);
  await assert.rejects(
    changeInstance(sql, "n1", { capacity_adjustment: 2 }),
    /Cannot change instance "n1": capacity_adjustment: .*: given 2/,
  );
  await assert.rejects(changeInstance(sql, "n9", { enabled: true }), /Cannot find instance "n9"/);
  await assert.rejects(deleteInstance(sql, "n1"), /Cannot delete instance "n1": 2 jobs are there/);
  await sql.unsafe("delete from awx.unified_job");
  await assert.rejects(deleteInstance(sql, "n1"), /it was heard of \d+ s ago/);
  await deleteInstance(sql, "n2");
  await assert.rejects(instanceByName(sql, "n2"), /Cannot find instance "n2"/);
});

test("instance groups have members by name, and are kept while a template names them", async (t) => {
  const { sql } = await awxDatabase(t);
  await sql.unsafe(SITE);
  const { id } = await create(sql, INSTANCE_GROUPS, { name: "gpu", max_forks: 10 });
  await addMembers(sql, "gpu", ["n2"]);
  await addMembers(sql, "gpu", ["n1", "n2"]);
  assert.deepEqual((await listGroups(sql)).map(({ name, members }) => [name, members]), [
    ["default", ["n1", "n2"]],
    ["gpu", ["n1", "n2"]],
  ]);
  await assert.rejects(
    addMembers(sql, "gpu", ["n9"]),
    /Cannot add to instance group "gpu": there is no hostname "n9"/,
  );
  await removeMembers(sql, "gpu", ["n1"]);
  await assert.rejects(
    removeMembers(sql, "gpu", ["n1"]),
    /Cannot remove "n1" from instance group "gpu": it is no/,
  );
  await create(sql, JOB_TEMPLATES, {
    name: "t",
    kind: "command",
    command: ["true"],
    instance_group_ids: [id],
  });
  await assert.rejects(deleteGroup(sql, "gpu"), /job template "t" uses it/);
  await assert.rejects(deleteGroup(sql, "default"), /jobs that name no group run in it/);
});

test("listSettings() tells values from defaults, also where another version wrote", async (t) => {
  const { sql } = await awxDatabase(t);
  await writeSetting(sql, "HEARTBEAT_GRACE", 5);
  await sql.unsafe(
    `insert into awx.setting (key, value) values ('LATER', '1'), ('CALLBACK_QUEUE', '"pigeon"')`,
  );
  const found = new Map((await listSettings(sql)).map((setting) => [`${setting.key}`, setting]));
  assert.deepEqual([found.get("HEARTBEAT_GRACE")!.value, found.get("HEARTBEAT_GRACE")!.default], [5, 60]);
  assert.equal(found.get("CALLBACK_QUEUE")!.value, "direct");
  assert.equal(found.has("LATER"), false);
  assert.equal(await resetSetting(sql, "HEARTBEAT_GRACE"), true);
  assert.equal(await resetSetting(sql, "HEARTBEAT_GRACE"), false);
  await assert.rejects(resetSetting(sql, "NOPE"), /Unknown setting "NOPE"/);
});
