// @runtimes deno
/** Inventories imported from ini, YAML, JSON, a script and a project, by real ansible-inventory. */
import assert from "node:assert/strict";
import { needs, test } from "../../harness.ts";
import type { UnifiedJob } from "../../../tasks/jobs/model/unified_job.ts";
import { readListing } from "../../../tasks/jobs/run/inventory_listing.ts";
import { inventoryFile } from "../../../tasks/jobs/run/inventory_file.ts";
import { PrivateDir } from "../../../tasks/jobs/run/private_dir.ts";
import { readFileSync } from "node:fs";
import { inventory, type Site, site } from "./site.ts";

const options = { skip: needs("ansible-inventory"), timeout: 120_000 };
const HOSTS = 5_000;

async function sourceOf(own: Site, inventory_id: number, values: Record<string, unknown>): Promise<number> {
  return await own.insert("inventory_source", {
    inventory_id,
    name: `source ${Math.random()}`,
    kind: "static",
    content: "",
    path: "",
    source_vars: {},
    overwrite: false,
    update_on_launch: false,
    update_cache_timeout: 0,
    timeout: 0,
    ...values,
  });
}

async function update(own: Site, source: number): Promise<UnifiedJob> {
  return await own.ended(await own.run({ kind: "inventory_source", id: source }));
}

/** The inventory as a job would get it. */
async function seen({ sql, dir }: Site, id: number): Promise<Record<string, unknown>> {
  const place = await PrivateDir.make(dir, id);
  return JSON.parse(readFileSync(await inventoryFile(sql, id, place), "utf8")).all;
}

test(
  "sources of each kind are imported; what a source no longer lists goes, what others brought stays",
  options,
  async (t) => {
    const own = await site(t);
    const { sql, stdout } = own;
    const id = await inventory(own, { mine: { by: "hand" } });
    const ini = await sourceOf(own, id, {
      overwrite: true,
      content:
        "[web]\na port=80\nb\n[db]\nc\n[site:children]\nweb\ndb\n[web:vars]\nrole=front\n[all:vars]\nzone=eu\n",
    });
    const first = await update(own, ini);
    assert.equal(first.status, "successful", first.job_explanation + await stdout(first.id));
    assert.equal(first.job_explanation, "Imported 3 hosts in 3 groups");
    assert.deepEqual(first.artifacts, {
      hosts: 3,
      hosts_added: 3,
      hosts_deleted: 0,
      groups: 3,
      groups_added: 3,
      groups_deleted: 0,
    });
    assert.deepEqual(await seen(own, id), {
      vars: { zone: "eu" },
      hosts: { mine: { by: "hand" }, a: { port: 80 }, b: {}, c: {} },
      children: {
        web: { vars: { role: "front" }, hosts: { a: null, b: null }, children: {} },
        db: { vars: {}, hosts: { c: null }, children: {} },
        site: { vars: {}, hosts: {}, children: { web: null, db: null } },
      },
    });

    const script = await sourceOf(own, id, {
      kind: "script",
      content:
        `#!/bin/sh\necho '{"s": {"hosts": ["'$WHO'", "a"]}, "_meta": {"hostvars": {"a": {"from": "script"}}}}'\n`,
      source_vars: { WHO: "ann" },
    });
    const scripted = await update(own, script);
    assert.equal(scripted.status, "successful", await stdout(scripted.id));

    // b, db, c and site are gone from the source.
    await sql.unsafe("update awx.inventory_source set content = $2::text where id = $1::bigint", [
      ini,
      "web:\n  hosts:\n    a: {port: 81}\n",
    ]);
    const second = await update(own, ini);
    assert.deepEqual(
      [second.artifacts.hosts_deleted, second.artifacts.groups_deleted],
      [2, 2],
      await stdout(second.id),
    );
    assert.deepEqual(await seen(own, id), {
      vars: { zone: "eu" },
      hosts: { mine: { by: "hand" }, a: { port: 81 }, ann: {} },
      children: {
        web: { vars: {}, hosts: { a: null }, children: {} },
        s: { vars: {}, hosts: { a: null, ann: null }, children: {} },
      },
    });

    const project_id = await own.project({ "hosts.json": '{"all": {"hosts": {"p": {}}}}' });
    const project = await sourceOf(own, id, { kind: "project", project_id, path: "hosts.json" });
    assert.equal((await update(own, project)).artifacts.hosts_added, 1);
    const wrong = await update(own, await sourceOf(own, id, { content: "[broken\n" }));
    assert.equal(wrong.status, "failed");
    assert.match(await stdout(wrong.id), /broken/);
    assert.equal(
      (await seen(own, id) as { hosts: object }).hosts &&
        Object.keys((await seen(own, id)).hosts as object).length,
      4,
    );
  },
);

test(`${HOSTS} hosts are imported, and imported again, in seconds`, options, async (t) => {
  const own = await site(t);
  const id = await inventory(own, {});
  const lines = Array.from({ length: HOSTS }, (_, n) => `h${n} n=${n}`);
  const source = await sourceOf(own, id, { overwrite: true, content: `[web]\n${lines.join("\n")}\n` });
  const first = await update(own, source);
  assert.deepEqual([first.status, first.artifacts.hosts_added], ["successful", HOSTS], first.job_explanation);
  const [{ hosts, members }] = await own.sql.unsafe(
    `select (select count(*)::int from awx.host where variables ? 'n') hosts,
            (select count(*)::int from awx.host_group_host) members`,
  );
  assert.deepEqual([hosts, members], [HOSTS, HOSTS]);
  const again = await update(own, source);
  assert.deepEqual([again.artifacts.hosts, again.artifacts.hosts_added, again.artifacts.hosts_deleted], [
    HOSTS,
    0,
    0,
  ]);
  // Of it, ansible-inventory takes the larger part.
  assert.ok(again.elapsed < 30, `${again.elapsed} s`);
});

test("readListing() takes groups in both ways of writing, and names what does not fit", () => {
  const listed = readListing(
    '{"old": ["b", "a"], "new": {"children": ["bare"]}, "all": {"children": ["new", "ungrouped"]}}',
  );
  assert.deepEqual(listed.hosts.map(({ name }) => name), ["a", "b"]);
  assert.deepEqual(listed.groups.map(({ name }) => name), ["bare", "new", "old"]);
  assert.deepEqual(listed.children, [{ parent: "new", child: "bare" }]);
  assert.throws(() => readListing('{"web": {"hosts": "a"}}'), /Cannot read the inventory: web/);
});
