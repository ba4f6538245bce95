/** Old events, left directories, files of projects, inventories. */
import assert from "node:assert/strict";
import { existsSync, lstatSync, mkdirSync, symlinkSync, utimesSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { connect } from "../../../runtime/store/connection.ts";
import { applyRoles } from "../../../runtime/store/roles.ts";
import { launch } from "../../../tasks/jobs/model/launch.ts";
import { MIGRATIONS } from "../../../tasks/jobs/model/migrations.ts";
import {
  deleteInventory,
  emptyInventory,
  markForDeletion,
  openJobs,
} from "../../../tasks/system/clean_up/inventory.ts";
import { purgeEvents } from "../../../tasks/system/clean_up/events.ts";
import { purgeJobDirectories } from "../../../tasks/system/clean_up/job_directories.ts";
import { deleteProjectFiles } from "../../../tasks/system/clean_up/project_files.ts";
import { tempDir, test } from "../../harness.ts";
import { awxDatabase } from "../database.ts";
import { jobOn } from "./site.ts";

test("purgeEvents() drops days that are over, deletes what lies beside them, and keeps what is young", async (t) => {
  const { sql, client } = await awxDatabase(t);
  await sql.unsafe(
    "create table awx.job_event_20200101 partition of awx.job_event for values from ('2020-01-01Z') to ('2020-01-02Z')",
  );
  await sql.unsafe(
    `insert into awx.job_event (job_id, uuid, counter, event, created)
     select 1, gen_random_uuid(), n, 'verbose', at from generate_series(1, 3) n,
       unnest(array['2020-01-01T12:00Z', '2020-02-01T12:00Z']::timestamptz[] || clock_timestamp()
         || (clock_timestamp() - interval '29 days')) at`,
  );
  assert.deepEqual(await purgeEvents(sql, 30), { dropped: ["job_event_20200101"], inUse: [], deleted: 3 });
  const [{ count }] = await sql.unsafe("select count(*)::int from awx.job_event");
  assert.equal(count, 6);
  assert.deepEqual(await purgeEvents(sql, 30), { dropped: [], inUse: [], deleted: 0 });
  // A day that is read does not make everybody wait.
  await sql.unsafe(
    "create table awx.job_event_20200102 partition of awx.job_event for values from ('2020-01-02Z') to ('2020-01-03Z')",
  );
  await client.transaction(async (tx) => {
    await tx.unsafe("select count(*) from awx.job_event_20200102");
    assert.deepEqual((await purgeEvents(sql, 30)).inUse, ["job_event_20200102"]);
  });
  assert.deepEqual((await purgeEvents(sql, 30)).dropped, ["job_event_20200102"]);
  await assert.rejects(purgeEvents(sql, 1, AbortSignal.abort()), /abort/i);
});

test("a node with a role of its own drops and makes days too, and nobody else does", async (t) => {
  const { sql, url } = await awxDatabase(t);
  await applyRoles(sql, MIGRATIONS);
  await sql.unsafe(
    "create table awx.job_event_20200101 partition of awx.job_event for values from ('2020-01-01Z') to ('2020-01-02Z')",
  );
  const as = async (role: string) => {
    const own = connect(url, { max: 1 });
    t.after(() => own.end({ timeout: 1 }));
    await own.unsafe(`set role ${role}`);
    return own;
  };
  const viewer = await as("dispatcher_viewer");
  for (const ask of ["drop_event_partition('2020-01-01')", "create_event_partitions(3)"]) {
    await assert.rejects(async () => await viewer.unsafe(`select awx.${ask}`), { code: "42501" });
  }
  assert.deepEqual((await purgeEvents(await as("dispatcher_node"), 30)).dropped, ["job_event_20200101"]);
});

test("purgeJobDirectories() removes what jobs that are over have left, and nothing else", async (t) => {
  const site = await awxDatabase(t);
  const open = await jobOn(site, "n1");
  const root = tempDir();
  const old = new Date(Date.now() - 2 * 3_600_000);
  const make = (name: string, { young = false } = {}) => {
    mkdirSync(join(root, name, "inside"), { recursive: true });
    writeFileSync(join(root, name, "inside", "vault"), "secret");
    if (!young) utimesSync(join(root, name), old, old);
  };
  for (const name of [`${open.id}`, "900", "job_901_k3x9", "902-abc", "notes", "903 copy"]) make(name);
  make("904", { young: true });
  const outside = tempDir();
  symlinkSync(outside, join(root, "905"));
  writeFileSync(join(root, "906"), "");
  assert.equal(await purgeJobDirectories(site.sql, root), 3);
  for (const gone of ["900", "job_901_k3x9", "902-abc"]) assert.ok(!existsSync(join(root, gone)), gone);
  for (const kept of [`${open.id}`, "notes", "903 copy", "904", "905", "906"]) {
    assert.ok(existsSync(join(root, kept)), kept);
  }
  assert.equal(await purgeJobDirectories(site.sql, join(root, "nowhere")), 0);
});

test("deleteProjectFiles() deletes below the root only, and follows no link", async () => {
  const [root, outside] = [tempDir(), tempDir()];
  const make = (...path: string[]) => {
    mkdirSync(join(...path), { recursive: true });
    writeFileSync(join(...path, "site.yml"), "");
  };
  make(root, "_1_web", "roles");
  make(root, "_2_db");
  make(outside, "precious");
  symlinkSync(outside, join(root, "_2_db", "link"));
  symlinkSync(outside, join(root, "way_out"));
  assert.equal(await deleteProjectFiles(root, "_1_web"), true);
  assert.equal(existsSync(join(root, "_1_web")), false);
  assert.equal(await deleteProjectFiles(root, "_1_web"), false);
  assert.equal(await deleteProjectFiles(root, join(root, "_2_db")), true);
  for (const path of ["..", ".", "", outside, "../x", "_3/../..", "way_out/precious", `${root}x`, "/"]) {
    await assert.rejects(deleteProjectFiles(root, path), {
      code: "refused",
      message: `Cannot delete ${JSON.stringify(path)}: it is not below PROJECTS_ROOT, ${
        JSON.stringify(root)
      }`,
    }, path);
  }
  // The link itself may go; where it leads is another's.
  assert.equal(await deleteProjectFiles(root, "way_out"), true);
  assert.throws(() => lstatSync(join(root, "way_out")), /ENOENT/);
  assert.ok(existsSync(join(outside, "precious", "site.yml")));
  assert.equal(await deleteProjectFiles(join(root, "none"), "x"), false);
});

test("an inventory is deleted with all that is in it; what used it is left without", async (t) => {
  const { sql } = await awxDatabase(t);
  await sql.unsafe("insert into awx.inventory (name) values ('hosts'), ('others')");
  await sql.unsafe(
    `insert into awx.host (inventory_id, name)
     select i, 'h' || n from generate_series(1, 2) i, generate_series(1, 2500) n`,
  );
  await sql.unsafe(
    `with g as (insert into awx.host_group (inventory_id, name) values (1, 'all'), (1, 'web') returning id)
     insert into awx.host_group_host select g.id, h.id from g, awx.host h where h.inventory_id = 1`,
  );
  await sql.unsafe(
    `insert into awx.inventory_source (inventory_id, name, kind) values (1, 'own', 'static'), (2, 'its', 'static')`,
  );
  await sql.unsafe(
    "insert into awx.job_template (name, kind, command, inventory_id) values ('greet', 'command', '{true}', 1)",
  );
  await sql.unsafe(
    `insert into awx.schedule (name, rrule, template_kind, template_id)
     values ('a', 'x', 'inventory_source', 1), ('b', 'x', 'inventory_source', 2), ('c', 'x', 'job_template', 1)`,
  );
  const job = await launch(sql, { kind: "job_template", id: 1 });
  assert.equal(await markForDeletion(sql, 1), true);
  assert.equal(await openJobs(sql, 1), 1);
  await assert.rejects(launch(sql, { kind: "job_template", id: 1 }), /is being deleted/);
  await sql.unsafe("update awx.unified_job set status = 'successful'");
  assert.equal(await openJobs(sql, 1), 0);
  await assert.rejects(emptyInventory(sql, 1, AbortSignal.abort()), /abort/i);
  await emptyInventory(sql, 1, new AbortController().signal);
  await deleteInventory(sql, 1);
  const left = async (table: string) => (await sql.unsafe(`select count(*)::int from awx.${table}`))[0].count;
  const counts = await Promise.all(
    ["inventory", "host", "host_group", "host_group_host", "inventory_source", "schedule"].map(left),
  );
  assert.deepEqual(counts, [1, 2_500, 0, 0, 1, 2]);
  const [row] = await sql.unsafe(
    `select j.inventory_id, t.inventory_id template_inventory
     from awx.unified_job j join awx.job_template t on t.id = j.template_id where j.id = $1::bigint`,
    [job.id],
  );
  assert.deepEqual([row.inventory_id, row.template_inventory], [null, null]);
  assert.equal(await markForDeletion(sql, 1), false);
});
