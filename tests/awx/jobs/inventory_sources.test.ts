/** Sources that are read where they are or as they were written: files, projects, static text; by real ansible-inventory. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { randomUUID } from "node:crypto";
import { chmodSync, mkdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import process from "node:process";
import { client } from "../../../mod.ts";
import { needs, tempDir, test, type TestContext } from "../../harness.ts";
import { launch } from "../../../tasks/jobs/model/launch.ts";
import { jobById, type UnifiedJob } from "../../../tasks/jobs/model/unified_job.ts";
import { inventoryFile } from "../../../tasks/jobs/run/inventory_file.ts";
import { runInventoryUpdate } from "../../../tasks/jobs/run/inventory_update.ts";
import { perform } from "../../../tasks/jobs/run/perform.ts";
import { PrivateDir } from "../../../tasks/jobs/run/private_dir.ts";
import { contextOf, NEVER, place, started } from "./alone.ts";

const options = { skip: needs("ansible-inventory"), timeout: 120_000 };
const gitToo = { ...options, skip: options.skip || needs("git") };

interface Imported extends UnifiedJob {
  stdout: string;
  /** The inventory as a job would get it. */
  all: { vars: object; hosts: Record<string, object>; children: Record<string, object> };
}

/** Give a function that imports a source into an inventory of its own. */
async function importer(t: TestContext) {
  const own = await place(t, { PROJECTS_ROOT: join(tempDir(), "projects") });
  const { sql } = own;
  const insert = async (table: string, values: Record<string, unknown>): Promise<number> => {
    const names = Object.keys(values);
    const [{ id }] = await sql.unsafe(
      `insert into awx.${table} (${names}) select ${names}
       from jsonb_populate_record(null::awx.${table}, $1::text::jsonb) returning id::int`,
      [JSON.stringify(values)],
    );
    return id;
  };
  const update = async (source: number): Promise<Imported> => {
    const { id, uuid } = await started(own, await launch(sql, { kind: "inventory_source", id: source }));
    await perform(contextOf(own, uuid, NEVER), id, runInventoryUpdate);
    const job = await jobById(sql, id);
    const events = await sql.unsafe(
      "select stdout from awx.job_event where job_id = $1::bigint order by counter",
      [id],
    );
    const file = await inventoryFile(sql, job.inventory_id, await PrivateDir.make(tempDir(), id));
    return {
      ...job,
      stdout: events.map(({ stdout }) => stdout).join(""),
      all: JSON.parse(readFileSync(file, "utf8")).all,
    };
  };
  const source = async (values: Record<string, unknown>): Promise<number> =>
    await insert("inventory_source", {
      inventory_id: await insert("inventory", { name: randomUUID() }),
      name: "source",
      kind: "static",
      content: "",
      path: "",
      source_vars: {},
      overwrite: true,
      update_on_launch: false,
      update_cache_timeout: 0,
      timeout: 0,
      ...values,
    });
  return {
    url: own.url,
    insert,
    update,
    source,
    imported: async (values: object) => await update(await source({ ...values })),
  };
}

function write(dir: string, files: Record<string, string>): string {
  for (const [name, text] of Object.entries(files)) {
    mkdirSync(dirname(join(dir, name)), { recursive: true });
    writeFileSync(join(dir, name), text);
  }
  return dir;
}

const successful = (job: Imported) =>
  assert.equal(job.status, "successful", `${job.job_explanation}: ${job.stdout}`);

test(
  "a source `file` is read where it is, with the variables beside it, and again when it has changed",
  options,
  async (t) => {
    const { update, source } = await importer(t);
    const dir = write(tempDir(), {
      "hosts": "[web]\na\nb port=81\n",
      "group_vars/web.yml": "zone: eu\n",
      "group_vars/all/main.yml": "site: s\n",
      "host_vars/a.yml": "port: 80\n",
    });
    const id = await source({ kind: "file", path: join(dir, "hosts") });
    const first = await update(id);
    successful(first);
    assert.deepEqual(first.all, {
      vars: { site: "s" },
      hosts: { a: { port: 80 }, b: { port: 81 } },
      children: { web: { vars: { zone: "eu" }, hosts: { a: null, b: null }, children: {} } },
    });

    write(dir, { hosts: "[db]\na\n", "host_vars/a.yml": "port: 82\n" });
    const second = await update(id);
    successful(second);
    assert.deepEqual([second.artifacts.hosts_deleted, second.artifacts.groups_deleted], [1, 1]);
    assert.deepEqual(second.all.hosts, { a: { port: 82 } });
    assert.deepEqual(Object.keys(second.all.children), ["db"]);
  },
);

test(
  "a source `file` may be YAML, JSON, a directory of files, or a program with `source_vars`",
  options,
  async (t) => {
    const { imported } = await importer(t);
    const dir = write(tempDir(), {
      "site.yaml": "web:\n  hosts:\n    y: {n: 1}\n",
      "site.json": '{"web": {"hosts": {"j": {"n": 1}}}}',
      "many/one": "one\n",
      "many/two.yml": "all: {hosts: {two: {}}}\n",
      "program": `#!/bin/sh\n[ "$1" = --list ] && echo '{"g": ["'$WHO'"], "_meta": {"hostvars": {}}}'\n`,
      "with,comma": "c\n",
    });
    chmodSync(join(dir, "program"), 0o755);
    const hosts = async (name: string, source_vars = {}) => {
      const job = await imported({ kind: "file", path: join(dir, name), source_vars });
      successful(job);
      return job.all.hosts;
    };
    assert.deepEqual(await hosts("site.yaml"), { y: { n: 1 } });
    assert.deepEqual(await hosts("site.json"), { j: { n: 1 } });
    assert.deepEqual(await hosts("many"), { one: {}, two: {} });
    assert.deepEqual(await hosts("program", { WHO: "ann" }), { ann: {} });
    assert.deepEqual(await hosts("with,comma"), { c: {} });
  },
);

test("a source whose file is not there says which, where, and imports nothing", options, async (t) => {
  const { imported, update, source, insert } = await importer(t);
  const dir = tempDir();
  // Ansible takes such a name for a list of hosts.
  const path = join(dir, "a,b");
  const job = await imported({ kind: "file", path });
  assert.deepEqual([job.status, job.job_explanation, job.all.hosts], [
    "error",
    `Cannot update "source": ${JSON.stringify(path)} is not there on node "n1"`,
    {},
  ]);

  const file = join(write(dir, { hosts: "a\n" }), "hosts");
  const id = await source({ kind: "file", path: file });
  successful(await update(id));
  rmSync(file);
  const gone = await update(id);
  assert.deepEqual([gone.status, gone.all.hosts], ["error", { a: {} }]);

  const project_id = await insert("project", { name: "p", local_path: dir });
  const missing = await imported({ kind: "project", project_id, path: "hosts" });
  assert.deepEqual([missing.status, missing.job_explanation], [
    "error",
    'Cannot update "source": "hosts" is not there in its project',
  ]);
  symlinkSync(dir, join(dir, "loop"));
  const outside = await imported({ kind: "project", project_id, path: "../hosts" });
  assert.match(outside.job_explanation, /"\.\.\/hosts" is not inside of the project/);
});

test(
  "a source in a git project is read at the project's revision, from any place in it",
  gitToo,
  async (t) => {
    const { imported, insert, url } = await importer(t);
    // The lock of a project is held by the client that tasks share.
    process.env.DATABASE_URL = url;
    t.after(async () => await (await client()).close());
    const repository = write(tempDir(), {
      "inventories/eu/hosts.ini": "[web]\na\n",
      "inventories/eu/group_vars/web.yml": "zone: eu\n",
      "inventories/us.json": '{"all": {"hosts": {"u": {"n": 2}}}}',
    });
    const git = (...args: string[]) => {
      const identity = ["-c", "user.name=t", "-c", "user.email=t@example.org"];
      const { status, stderr } = spawnSync("git", [...identity, ...args], {
        cwd: repository,
        encoding: "utf8",
        env: process.env,
      });
      assert.equal(status, 0, stderr);
    };
    git("init", "--quiet", "--initial-branch", "main");
    git("add", "--all");
    git("commit", "--quiet", "--message", "first");
    const project_id = await insert("project", {
      name: "g",
      scm_type: "git",
      scm_url: `file://${repository}`,
    });
    const eu = await imported({ kind: "project", project_id, path: "inventories/eu/hosts.ini" });
    successful(eu);
    assert.deepEqual(eu.all.children, { web: { vars: { zone: "eu" }, hosts: { a: null }, children: {} } });
    const us = await imported({ kind: "project", project_id, path: "inventories/us.json" });
    successful(us);
    assert.deepEqual(us.all.hosts, { u: { n: 2 } });
    const missing = await imported({ kind: "project", project_id, path: "inventories/asia.json" });
    assert.match(
      missing.job_explanation,
      /"inventories\/asia\.json" is not there in its project at [0-9a-f]{40}$/,
    );
  },
);

test(
  "static JSON is imported: as inventories are written, as scripts print them, and empty",
  options,
  async (t) => {
    const { imported } = await importer(t);
    const written = await imported({
      content: `\n  ${
        JSON.stringify(
          {
            all: {
              vars: { zone: "eu", "quoted": 'a "b" {{ c }} é' },
              hosts: { lone: { list: [1, { two: null }], on: true } },
              children: { web: { hosts: { a: { port: 80 } }, children: { inner: { hosts: { b: null } } } } },
            },
          },
          null,
          2,
        )
      }\n`,
    });
    successful(written);
    assert.deepEqual(written.all, {
      vars: { zone: "eu", "quoted": 'a "b" {{ c }} é' },
      hosts: { lone: { list: [1, { two: null }], on: true }, a: { port: 80 }, b: {} },
      children: {
        web: { vars: {}, hosts: { a: null }, children: { inner: null } },
        inner: { vars: {}, hosts: { b: null }, children: {} },
      },
    });

    const printed = await imported({
      content: JSON.stringify({
        _meta: { hostvars: { a: { port: 80 } } },
        all: { children: ["web", "ungrouped"] },
        web: { hosts: ["a", "b"], vars: { role: "front" } },
      }),
    });
    successful(printed);
    assert.deepEqual(printed.all, {
      vars: {},
      hosts: { a: { port: 80 }, b: {} },
      children: { web: { vars: { role: "front" }, hosts: { a: null, b: null }, children: {} } },
    });
    const old = await imported({ content: '{"web": ["a"], "site": {"children": ["web"]}}' });
    successful(old);
    assert.deepEqual(Object.keys(old.all.hosts), ["a"]);
    assert.deepEqual(old.all.children.site, { vars: {}, hosts: {}, children: { web: null } });

    const empty = await imported({ content: "{}" });
    successful(empty);
    assert.deepEqual(empty.all, { vars: {}, hosts: {}, children: {} });
  },
);

test(
  "static text that is broken fails and says where; YAML in braces and without a head is read",
  options,
  async (t) => {
    const { imported } = await importer(t);
    const broken = await imported({ content: '{\n  "all": {"hosts": {"a": {}}\n' });
    assert.deepEqual([broken.status, broken.all.hosts], ["failed", {}]);
    assert.match(broken.stdout, /JSON/);
    for (
      const content of [
        "{all: {hosts: {a: {n: 1}}}}",
        "# of the site\nall: {hosts: {a: {n: 1}}}\n",
        "%YAML 1.1\n---\nall:\n  hosts:\n    a:\n      n: 1\n",
        "'all':  # everything\n  hosts:\n    a: {n: 1}\n",
      ]
    ) {
      const job = await imported({ content });
      successful(job);
      assert.deepEqual(job.all.hosts, { a: { n: 1 } }, content);
    }
  },
);
