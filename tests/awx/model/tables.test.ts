// @runtimes deno
/** Named things: made, changed, found, deleted, and what is said when that cannot be. */
import assert from "node:assert/strict";
import { deleteInventory, deleteJobTemplate, deleteProject } from "../../../tasks/jobs/model/deletion.ts";
import {
  addChildGroup,
  addHost,
  HOST_GROUPS,
  hostGroupByName,
  listHostGroups,
  removeChildGroup,
} from "../../../tasks/jobs/model/host_groups.ts";
import { HOSTS, listHosts } from "../../../tasks/jobs/model/hosts.ts";
import { INVENTORIES, INVENTORY_SOURCES } from "../../../tasks/jobs/model/inventories.ts";
import { launch } from "../../../tasks/jobs/model/launch.ts";
import { listSources, nameOfTemplate, templateByName } from "../../../tasks/jobs/model/names.ts";
import { PROJECTS } from "../../../tasks/jobs/model/projects.ts";
import { byName, create, listAll, remove, update } from "../../../tasks/jobs/model/table.ts";
import { JOB_TEMPLATES } from "../../../tasks/jobs/model/templates.ts";
import { test } from "../../harness.ts";
import { awxDatabase } from "../database.ts";

/** A code of an error and what its message says. */
function refusal(code: string, message: RegExp) {
  return (error: Error & { code?: string }) => {
    assert.match(error.message, message);
    assert.equal(error.code, code);
    return true;
  };
}

test("create(), update(), byName() and listAll() keep what is given and the table's defaults", async (t) => {
  const { sql } = await awxDatabase(t);
  const made = await create(sql, PROJECTS, { name: "site", scm_type: "git", scm_url: "file:///srv/site" });
  assert.deepEqual(made, {
    id: made.id,
    name: "site",
    scm_type: "git",
    scm_url: "file:///srv/site",
    scm_branch: "",
    scm_clean: false,
    scm_revision: "",
    local_path: "",
    update_on_launch: false,
    update_cache_timeout: 0,
    timeout: 0,
    credential_id: null,
  });
  const changed = await update(sql, PROJECTS, made.id, { scm_branch: "main" });
  assert.deepEqual(changed, { ...made, scm_branch: "main" });
  assert.deepEqual(await update(sql, PROJECTS, made.id, {}), changed);
  await create(sql, PROJECTS, { name: `${made.id}`, local_path: "/srv/other" });
  // A name goes before a number.
  assert.equal((await byName(sql, PROJECTS, `${made.id}`)).local_path, "/srv/other");
  assert.equal((await byName(sql, PROJECTS, "site")).id, made.id);
  await create(sql, PROJECTS, { name: "zoo", local_path: "/srv/zoo" });
  assert.deepEqual((await listAll(sql, PROJECTS, { after: "a" })).map(({ name }) => name), ["site", "zoo"]);
  await assert.rejects(
    byName(sql, PROJECTS, "nope"),
    refusal("not_found", /^Cannot find project "nope"$/),
  );
  const template = await create(sql, JOB_TEMPLATES, {
    name: "run",
    kind: "command",
    command: ["echo", "a b", "{c,d}", '"'],
    resources: { cpu: 2 },
    instance_group_ids: [1],
    extra_vars: { deep: { list: [1, null] } },
  });
  assert.deepEqual(template.command, ["echo", "a b", "{c,d}", '"']);
  assert.deepEqual([template.resources, template.instance_group_ids], [{ cpu: 2 }, [1]]);
  assert.deepEqual(template.extra_vars, { deep: { list: [1, null] } });
});

test("create() and update() refuse what cannot be and name the field and the value", async (t) => {
  const { sql } = await awxDatabase(t);
  const git = { name: "site", scm_type: "git", scm_url: "file:///srv/site" };
  const { id } = await create(sql, PROJECTS, git);
  const cases: [unknown, string, RegExp][] = [
    [git, "refused", /^Cannot create project "site": there is one of this name$/],
    [{ ...git, name: " " }, "usage", /name: a name is not blank .*: given " "$/],
    [{ ...git, name: "b", timeout: -1 }, "usage", /^Cannot create project "b": timeout: .*: given -1$/],
    [{ ...git, name: "b", colour: 1 }, "usage", /"colour"/],
    [{ name: "b", scm_type: "git" }, "usage", /a git project needs a scm_url/],
    [{ name: "b" }, "usage", /needs a local_path/],
    [{ ...git, name: "b", scm_url: "--upload-pack=x" }, "usage", /scm_url begins with -/],
    [{ ...git, name: "b", scm_branch: "-x" }, "usage", /scm_branch: .*: given "-x"/],
    [
      { ...git, name: "b", credential_id: 7 },
      "usage",
      /^Cannot create project "b": there is no credential 7$/,
    ],
  ];
  for (const [input, code, message] of cases) {
    await assert.rejects(create(sql, PROJECTS, input), refusal(code, message));
  }
  await assert.rejects(
    create(sql, PROJECTS, { ...git, name: "b", scm_url: "https://me:hunter2@example.org/x" }),
    (error: Error) => /holds a password/.test(error.message) && !/hunter2/.test(error.message),
  );
  await assert.rejects(
    update(sql, PROJECTS, id, { scm_url: "" }),
    /Cannot update project "site": a git project/,
  );
  await assert.rejects(update(sql, PROJECTS, 99, {}), refusal("not_found", /Cannot find project 99/));
  const playbook = { name: "p", kind: "playbook", project_id: id, playbook: "../x.yml" };
  await assert.rejects(
    create(sql, JOB_TEMPLATES, playbook),
    /playbook leads out of the project: given "..\/x.yml"/,
  );
  await assert.rejects(create(sql, JOB_TEMPLATES, { name: "p", kind: "command" }), /needs a command/);
  await assert.rejects(
    create(sql, JOB_TEMPLATES, { ...playbook, playbook: "x.yml", credential_ids: [9] }),
    /Cannot create job template "p": there is no credential 9/,
  );
  assert.deepEqual(await listAll(sql, JOB_TEMPLATES), []);
});

test("what is in use is not deleted, and who uses it is named", async (t) => {
  const { sql, client } = await awxDatabase(t);
  const project = await create(sql, PROJECTS, { name: "site", scm_type: "git", scm_url: "file:///srv/site" });
  const inventory = await create(sql, INVENTORIES, { name: "all hosts" });
  for (const name of ["a", "b", "c", "d"]) {
    await create(sql, JOB_TEMPLATES, {
      name,
      kind: "playbook",
      project_id: project.id,
      playbook: "site.yml",
      inventory_id: inventory.id,
    });
  }
  const dropProject = () => client.transaction((tx, publish) => deleteProject(tx, publish, project.id));
  const dropInventory = () => client.transaction((tx, publish) => deleteInventory(tx, publish, inventory.id));
  const used = 'job template "a", job template "b" and 2 others use it';
  await assert.rejects(
    dropProject(),
    refusal("refused", new RegExp(`^Cannot delete project "site": ${used}$`)),
  );
  await assert.rejects(
    dropInventory(),
    refusal("refused", new RegExp(`^Cannot delete inventory "all hosts": ${used}$`)),
  );
  const { id } = await templateByName(sql, "job_template", "a");
  const job = await launch(sql, { kind: "job_template", id });
  for (const { id } of await listAll(sql, JOB_TEMPLATES)) await deleteJobTemplate(sql, id);
  await assert.rejects(dropProject(), /^DispatcherError: Cannot delete project "site": job \d+ uses it$/);
  await assert.rejects(dropInventory(), /job \d+ uses it$/);
  await sql.unsafe("update awx.unified_job set status = 'failed' where id = $1::bigint", [job.id]);
  await sql.unsafe("update awx.project set local_path = '/clones/1'");
  await dropProject();
  await dropInventory();
  const published = await client.list();
  assert.deepEqual(
    published.filter(({ task }) => task === "system/delete_inventory").map(({ args }) => args),
    [[inventory.id]],
  );
  assert.equal((await byName(sql, INVENTORIES, "all hosts")).pending_deletion, true);
  await assert.rejects(dropProject(), refusal("not_found", /Cannot find project/));
});

test("hosts, groups and sources belong to an inventory; a group is never in itself", async (t) => {
  const { sql, client } = await awxDatabase(t);
  const { id: inventory_id } = await create(sql, INVENTORIES, { name: "prod", variables: { a: 1 } });
  const other = await create(sql, INVENTORIES, { name: "test" });
  const host = await create(sql, HOSTS, {
    inventory_id,
    name: "h1",
    variables: { ansible_connection: "local" },
  });
  await assert.rejects(
    create(sql, HOSTS, { inventory_id, name: "h1" }),
    refusal("refused", /"h1": there is one/),
  );
  await assert.rejects(
    create(sql, HOSTS, { inventory_id, name: "h 1" }),
    /no blanks and commas: given "h 1"/,
  );
  await assert.rejects(create(sql, HOSTS, { inventory_id: 99, name: "h" }), /there is no inventory 99/);
  const ids = new Map<string, number>();
  for (const name of ["web", "eu", "world"]) {
    ids.set(name, (await create(sql, HOST_GROUPS, { inventory_id, name })).id);
  }
  const put = (parent: string, child: string) =>
    client.transaction((tx) => addChildGroup(tx, ids.get(parent)!, ids.get(child)!));
  await put("world", "eu");
  await put("eu", "web");
  await put("eu", "web");
  await assert.rejects(
    put("web", "world"),
    refusal("refused", /Cannot put group "world" into "web": "web" → "world" → "eu" → "web" is a cycle/),
  );
  await assert.rejects(put("web", "web"), /"web" → "web" is a cycle/);
  const far = await create(sql, HOST_GROUPS, { inventory_id: other.id, name: "far" });
  await assert.rejects(
    addChildGroup(sql, ids.get("web")!, far.id),
    refusal("usage", /they are of inventories \d+ and \d+/),
  );
  await addHost(sql, ids.get("web")!, host.id);
  assert.deepEqual(
    (await listHostGroups(sql, inventory_id)).map(({ name, hosts, children }) => [name, hosts, children]),
    [["eu", 0, ["web"]], ["web", 1, []], ["world", 0, ["eu"]]],
  );
  assert.deepEqual((await listHosts(sql, inventory_id, { group: "web" })).map(({ groups }) => groups), [[
    "web",
  ]]);
  assert.deepEqual(await listHosts(sql, inventory_id, { group: "eu" }), []);
  await removeChildGroup(sql, ids.get("eu")!, ids.get("web")!);
  await put("web", "world");
  assert.equal((await hostGroupByName(sql, inventory_id, "web")).id, ids.get("web"));

  const source = { inventory_id, name: "hosts.ini", kind: "static", content: "[web]\nh1\n" };
  const { id } = await create(sql, INVENTORY_SOURCES, source);
  await create(sql, INVENTORY_SOURCES, { ...source, inventory_id: other.id });
  await assert.rejects(create(sql, INVENTORY_SOURCES, source), /there is one of this name/);
  await assert.rejects(
    create(sql, INVENTORY_SOURCES, { ...source, content: "" }),
    /a static source needs content/,
  );
  await assert.rejects(create(sql, INVENTORY_SOURCES, { ...source, kind: "project" }), /needs a project_id/);
  assert.deepEqual((await listSources(sql, inventory_id)).map(({ name }) => name), ["hosts.ini"]);
  assert.deepEqual(await templateByName(sql, "inventory_source", "prod/hosts.ini"), {
    kind: "inventory_source",
    id,
  });
  assert.equal(await nameOfTemplate(sql, { kind: "inventory_source", id }), "prod/hosts.ini");
  await remove(sql, INVENTORY_SOURCES, id);
  await assert.rejects(
    templateByName(sql, "inventory_source", "prod/hosts.ini"),
    /Cannot find inventory source/,
  );
});
