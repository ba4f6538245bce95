// @runtimes deno
/** A site as a file: applied, exported, applied again. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { parse, stringify } from "yaml";
import { test } from "../../harness.ts";
import { cli } from "./cli.ts";

const FILE = fileURLToPath(new URL("site.yaml", import.meta.url));
const SITE = readFileSync(FILE, "utf8");

test("the files of the guides can be applied", async (t) => {
  const { ok } = await cli(t);
  const files = ["index", "commands"].flatMap((page) => {
    const path = fileURLToPath(new URL(`../../../docs/control-plane/${page}.md`, import.meta.url));
    return [...readFileSync(path, "utf8").matchAll(/```yaml\n(.*?)```/gs)].map(([, text]) => text);
  });
  assert.equal(files.length, 2);
  await ok("apply -f -", files[0]);
  await ok("source create production/cloud --kind file --path /etc/hosts.ini");
  await ok("template create tell -- echo done");
  await ok(["workflow", "create", "-"], "name: smoke tests\nnodes: [{ id: a, job_template: tell }]");
  await ok(["workflow", "modify", "-"], files[1]);
  assert.equal((await ok("workflow show release")).length, 12);
});

test("awx apply makes a site, finds it unchanged, and changes what the file says otherwise", async (t) => {
  const { ok, sql } = await cli(t);
  const first = await ok(["apply", "-f", FILE]);
  assert.ok(first.length >= 16);
  assert.deepEqual(first.filter((line) => line.endsWith("unchanged")), []);
  const again = await ok("apply -f -", SITE);
  assert.deepEqual(again.filter((line) => !line.endsWith("unchanged")), []);
  const changed = SITE.replace("forks: 10", "forks: 20").replace("failure: [sorry]", "always: [sorry]")
    .replace("        always: [tidy]\n", "");
  assert.deepEqual((await ok("apply -f -", changed)).filter((line) => !line.endsWith("unchanged")), [
    "job template\tdeploy\tchanged",
    "workflow template\trelease\tchanged",
  ]);
  const published = await sql.unsafe(
    `select count(*)::int n from dispatcher.broadcast where task = 'system/handle_setting_changes'`,
  );
  assert.equal(published[0].n, 1);
});

test("awx export prints what awx apply makes again elsewhere", async (t) => {
  const [one, two] = await Promise.all([cli(t), cli(t)]);
  await one.ok(["apply", "-f", FILE]);
  const exported = (await one.ok("export")).join("\n");
  await two.ok("apply -f -", exported);
  assert.deepEqual(await two.ok("export --json"), await one.ok("export --json"));
  const document = parse(exported);
  assert.deepEqual(document.workflows[1], parse(SITE).workflows[1]);
  assert.deepEqual(document.inventories[0].groups.all_of_it, { children: ["web"], variables: { a: 1 } });
  assert.deepEqual(document.templates.map(({ name }: { name: string }) => name), ["deploy", "say hello"]);
});

test("awx apply does all of a file or nothing, and --dry-run nothing", async (t) => {
  const { awx, ok } = await cli(t);
  const dry = await awx(["apply", "-f", FILE, "--dry-run"]);
  assert.deepEqual([dry.code, dry.err], [0, ["Nothing was done: it was a dry run"]]);
  assert.ok(dry.out.includes("project\tsite\tcreated"));
  assert.deepEqual(await ok("project list"), []);
  const site = parse(SITE);
  const wrong: [unknown, number, RegExp][] = [
    [{ ...site, schedules: [{ ...site.schedules[0], template: "nope" }] }, 2, /schedule "nightly": .*"nope"/],
    [{ ...site, templates: [{ ...site.templates[0], forkz: 1 }] }, 2, /job template "deploy": .*"forkz"/],
    [
      { ...site, templates: [{ ...site.templates[0], project: "x" }] },
      2,
      /template "deploy": there is no project "x"/,
    ],
    [{ ...site, playbooks: [] }, 2, /Cannot read the site of "-": .*"playbooks"/],
    [
      {
        ...site,
        workflows: [{ name: "w", nodes: [{ id: "a", project: "site", success: ["a"] }] }],
        schedules: [],
      },
      4,
      /Cannot create workflow template "w": "a" → "a" is a cycle/,
    ],
    [
      {
        ...site,
        inventories: [{ name: "i", groups: { a: { children: ["b"] }, b: { children: ["a"] } } }],
        templates: [],
        workflows: [],
        schedules: [],
      },
      4,
      /is a cycle/,
    ],
  ];
  for (const [document, exit, message] of wrong) {
    const { code, err, out } = await awx("apply -f -", { stdin: stringify(document) });
    assert.deepEqual([code, out], [exit, []], `${err}`);
    assert.match(err.join("\n"), message);
    assert.deepEqual(await ok("project list"), []);
  }
  const broken = await awx("apply -f -", { stdin: "projects: [\n  {password: hunter2" });
  assert.equal(broken.code, 2);
  assert.match(broken.err[0], /^Cannot read stdin as JSON or YAML: line \d/);
  assert.doesNotMatch(broken.err[0], /hunter2/);
});
