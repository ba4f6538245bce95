// @runtimes deno
/** Projects cloned and updated with real git, from file:// and a local daemon. */
import assert from "node:assert/strict";
import { spawn, spawnSync } from "node:child_process";
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import process from "node:process";
import { eventually, needs, test, type TestContext } from "../../harness.ts";
import { guardChild } from "../../harness/child_guard.ts";
import { projectRow, type Site, site, template } from "./site.ts";

const options = { skip: needs("git") };

/** A repository, committed to by name. */
class Repository {
  readonly path: string;

  constructor(path: string) {
    this.path = path;
    mkdirSync(path, { recursive: true });
    this.git("init", "--quiet", "--initial-branch", "main");
  }

  git(...args: string[]): string {
    const identity = ["-c", "user.name=t", "-c", "user.email=t@example.org"];
    const { status, stdout, stderr } = spawnSync("git", [...identity, ...args], {
      cwd: this.path,
      encoding: "utf8",
    });
    assert.equal(status, 0, stderr);
    return stdout.trim();
  }

  commit(files: Record<string, string>, ...more: string[]): string {
    for (const [name, text] of Object.entries(files)) writeFileSync(join(this.path, name), text);
    this.git("add", "--all");
    this.git("commit", "--quiet", "--message", "change", ...more);
    return this.git("rev-parse", "HEAD");
  }
}

async function update(own: Site, project: number) {
  return await own.ended(await own.run({ kind: "project", id: project }));
}

test("a project is cloned, updated, pushed over, cleaned, and put at a tag or commit", options, async (t) => {
  const own = await site(t);
  const { sql, stdout } = own;
  const repository = new Repository(join(own.dir, "repository"));
  const first = repository.commit({ "site.yml": "- hosts: all\n", "file": "1" });
  repository.git("tag", "v1");
  const project = await projectRow(own, {
    name: "My Site!",
    scm_type: "git",
    scm_url: `file://${repository.path}`,
  });
  const clone = join(own.dir, "projects", `_${project}__my_site`);
  const said = async () => (await sql.unsafe("select scm_revision, local_path from awx.project"))[0];

  const cloned = await update(own, project);
  assert.deepEqual([cloned.status, cloned.scm_revision], ["successful", first], await stdout(cloned.id));
  assert.deepEqual({ ...await said() }, { scm_revision: first, local_path: clone });
  assert.equal(readFileSync(join(clone, "file"), "utf8"), "1");

  // A job runs in a copy at the project's revision, and says which.
  const show = await template(own, {
    command: ["sh", "-c", "cat file; echo changed > file"],
    project_id: project,
  });
  const job = await own.ended(await own.run(show));
  assert.deepEqual([job.status, job.scm_revision, await stdout(job.id)], ["successful", first, "1"]);
  assert.equal(readFileSync(join(clone, "file"), "utf8"), "1");

  // A force push, with local changes in the way.
  const second = repository.commit({ file: "2" }, "--amend");
  writeFileSync(join(clone, "file"), "mine");
  writeFileSync(join(clone, "untracked"), "mine");
  const blocked = await update(own, project);
  assert.equal(blocked.status, "failed");
  assert.match(blocked.job_explanation, /^git checkout ended with code 1$/);
  assert.match(await stdout(blocked.id), /Your local changes to the following files would be overwritten/);
  assert.equal((await said()).scm_revision, first);
  await sql.unsafe("update awx.project set scm_clean = true");
  const pushed = await update(own, project);
  assert.deepEqual([pushed.status, pushed.scm_revision], ["successful", second]);
  assert.deepEqual([readFileSync(join(clone, "file"), "utf8"), existsSync(join(clone, "untracked"))], [
    "2",
    false,
  ]);

  // A branch that is not there says what git says; a tag and a commit are found.
  for (const [branch, revision] of [["nope", ""], ["v1", first], [second, second], ["main", second]]) {
    await sql.unsafe("update awx.project set scm_branch = $1::text", [branch]);
    const done = await update(own, project);
    assert.equal(done.status, revision ? "successful" : "failed", await stdout(done.id));
    assert.equal(done.scm_revision, revision);
    if (!revision) assert.match(await stdout(done.id), /couldn't find remote ref nope/);
  }

  // A node without the clone makes its own before a job.
  await sql.unsafe("update awx.project set scm_revision = $1::text", [first]);
  spawnSync("rm", ["-rf", clone]);
  const alone = await own.ended(await own.run(show));
  assert.deepEqual([alone.status, alone.scm_revision], ["successful", first], alone.job_explanation);
  assert.match(await stdout(alone.id), /^Cloning into [^]*1$/);
  assert.deepEqual(own.privateDirs(), []);
});

test(
  "submodules are part of a project; updates and jobs at once take turns in its clone",
  options,
  async (t) => {
    const own = await site(t);
    const part = new Repository(join(own.dir, "part"));
    part.commit({ inner: "of the submodule" });
    const whole = new Repository(join(own.dir, "whole"));
    whole.git(
      "-c",
      "protocol.file.allow=always",
      "submodule",
      "add",
      "--quiet",
      `file://${part.path}`,
      "sub",
    );
    const revision = whole.commit({ file: "1" });
    const credential_id = await own.credential("env", {
      GIT_CONFIG_COUNT: "1",
      GIT_CONFIG_KEY_0: "protocol.file.allow",
      GIT_CONFIG_VALUE_0: "always",
    });
    const url = `file://${whole.path}`;
    const project_id = await projectRow(own, { name: "whole", scm_type: "git", scm_url: url, credential_id });
    const show = await template(own, { command: ["cat", "sub/inner"], project_id });
    // The jobs find no clone, or wait for the one that is being made.
    const ids = [
      await own.run({ kind: "project", id: project_id }),
      await own.run(show),
      await own.run(show),
    ];
    for (const id of ids) {
      const job = await own.ended(id);
      assert.deepEqual(
        [job.status, job.scm_revision],
        ["successful", revision],
        job.job_explanation + await own.stdout(id),
      );
    }
    for (const id of ids.slice(1)) assert.match(await own.stdout(id), /of the submodule$/);
  },
);

test("a project is cloned from a daemon; one that needs a password gets it by file", options, async (t) => {
  const own = await site(t);
  const { stdout } = own;
  const repository = new Repository(join(own.dir, "served"));
  const revision = repository.commit({ file: "1" });
  const port = await daemon(t, own.dir);
  const project = await projectRow(own, {
    name: "served",
    scm_type: "git",
    scm_url: `git://127.0.0.1:${port}/served`,
  });
  const served = await update(own, project);
  assert.deepEqual([served.status, served.scm_revision], ["successful", revision], await stdout(served.id));

  const web = await basicAuthServer(t);
  const credential_id = await own.credential("scm", { username: "ann", password: "open sesame" });
  const closed = await projectRow(own, {
    name: "closed",
    scm_type: "git",
    scm_url: `${web.url}/r.git`,
    credential_id,
  });
  const refused = await update(own, closed);
  assert.equal(refused.status, "failed");
  assert.ok(web.seen().includes(`Basic ${btoa("ann:open sesame")}`), web.seen().join());
  assert.doesNotMatch(await stdout(refused.id), /sesame/);

  // Of an address, too, the password is not for arguments, configuration and output.
  const scm_url = `${web.url.replace("//", "//bob:swordfish@")}/r.git`;
  const inAddress = await update(
    own,
    await projectRow(own, { name: "in address", scm_type: "git", scm_url }),
  );
  assert.equal(inAddress.status, "failed");
  assert.ok(web.seen().includes(`Basic ${btoa("bob:swordfish")}`), web.seen().join());
  assert.doesNotMatch(
    JSON.stringify(await own.events(inAddress.id)) + inAddress.job_explanation,
    /swordfish/,
  );

  const gone = await projectRow(own, { name: "gone", scm_type: "git", scm_url: `file://${own.dir}/nowhere` });
  const failed = await update(own, gone);
  assert.deepEqual([failed.status, failed.job_explanation], ["failed", "git clone ended with code 128"]);
  assert.match(await stdout(failed.id), /nowhere/);
});

async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await new Promise((up) => server.once("listening", up));
  const { port } = server.address() as { port: number };
  await new Promise((down) => server.close(down));
  return port;
}

/** Serve all repositories of a directory; gives the port. */
async function daemon(t: TestContext, base: string): Promise<number> {
  const port = await freePort();
  const args = [
    "daemon",
    "--reuseaddr",
    "--export-all",
    `--base-path=${base}`,
    "--listen=127.0.0.1",
    `--port=${port}`,
  ];
  const child = spawn("git", args, { stdio: "ignore", detached: true });
  guardChild(child);
  // git daemon is a child of the command.
  t.after(() => process.kill(-child.pid!, "SIGKILL"));
  const url = `git://127.0.0.1:${port}/served`;
  await eventually(() => spawnSync("git", ["ls-remote", url]).status === 0, { within: 10_000 });
  return port;
}

/** Asks for a password and lets nobody in. */
async function basicAuthServer(t: TestContext): Promise<{ url: string; seen(): string[] }> {
  const { createServer } = await import("node:http");
  const seen: string[] = [];
  const server = createServer((request, response) => {
    const { authorization } = request.headers;
    if (authorization) seen.push(authorization);
    response.writeHead(401, { "WWW-Authenticate": 'Basic realm="r"' }).end();
  }).listen(0, "127.0.0.1");
  await new Promise((up) => server.once("listening", up));
  t.after(() => new Promise((down) => server.close(down)));
  return { url: `http://127.0.0.1:${(server.address() as { port: number }).port}`, seen: () => seen };
}
