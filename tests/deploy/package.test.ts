// @runtimes node
/** The package as users get it: built, packed, installed into a project that `init` made, run on each runtime. */
import assert from "node:assert/strict";
import { spawnSync, type SpawnSyncReturns } from "node:child_process";
import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { delimiter, dirname, join } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { buildNpm } from "../../.ci/npm.ts";
import { denoFlags } from "../../cli/deploy/plan.ts";
import { connect } from "../../mod.ts";
import { loadConfig } from "../../runtime/config.ts";
import { database, type Runtime, runtimes, tempDir, test } from "../harness.ts";
import { spawnCli, startNode } from "../processes.ts";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));
const LAUNCHER = "node_modules/edge-dispatcher/cli/launcher.mjs";

/** Run a program to its end; throws what it said when it failed. */
function done(file: string, args: string[], cwd: string): string {
  // Scripts of npm run the node of PATH, which may be too old: this one goes before it.
  const PATH = [dirname(runtimes().node), process.env.PATH].join(delimiter);
  const env = { ...process.env, PATH, npm_config_update_notifier: "false", NO_COLOR: "1" };
  const ended: SpawnSyncReturns<string> = spawnSync(file, args, { cwd, env, encoding: "utf8" });
  assert.equal(ended.status, 0, `${file} ${args.join(" ")}: ${ended.error ?? ended.stdout + ended.stderr}`);
  return ended.stdout;
}

interface Project {
  dir: string;
  /** Names in the package's archive. */
  packed: string[];
}
let made: Project | undefined;

/** Build, pack, `init` by the built program, install: once for all tests of this file. */
function project(): Project {
  if (made) return made;
  const [out, dir] = [join(tempDir(), "npm"), join(tempDir(), "my-tasks")];
  buildNpm(out);
  const [{ filename, files }] = JSON.parse(
    done("npm", ["pack", "--json", "--ignore-scripts", "--pack-destination", out], out),
  ) as { filename: string; files: { path: string }[] }[];
  // The dependencies of the built files are those of the repository until there is a project.
  const first = join(ROOT, "cli", "launcher.mjs");
  done(
    process.execPath,
    ["--no-warnings", first, "init", dir, "--package", `file:${join(out, filename)}`],
    ROOT,
  );
  done("npm", ["install", "--prefer-offline", "--no-audit", "--no-fund", "--ignore-scripts"], dir);
  return made = { dir, packed: files.map(({ path }) => path) };
}

test(
  "the package has JavaScript, declarations and migrations, and no TypeScript",
  { timeout: 180_000 },
  () => {
    const { packed } = project();
    const sources = (end: string) => packed.filter((path) => path.endsWith(end));
    assert.deepEqual(sources(".ts").filter((path) => !path.endsWith(".d.ts")), []);
    const sql = readdirSync(join(ROOT, "runtime/store/migrations")).map((name) =>
      `runtime/store/migrations/${name}`
    );
    assert.deepEqual(sources(".sql").filter((path) => path.includes("/migrations/")), sql.sort());
    for (
      const path of ["mod.js", "mod.d.ts", "runtime/pool/worker.js", "README.md", "LICENSE", "package.json"]
    ) {
      assert.ok(packed.includes(path), path);
    }
    assert.deepEqual(packed.filter((path) => /^(tests|bench|\.ci|tasks)\//.test(path)), []);
  },
);

test("what the package loads late is named by literals, which bundlers follow", { timeout: 180_000 }, () => {
  const { dir } = project();
  const text = readFileSync(join(dir, "node_modules/edge-dispatcher/mod.js"), "utf8");
  for (const name of ["connect", "node", "task_publisher"]) {
    assert.ok(text.includes(`import("./runtime/${name}.js")`), name);
  }
  assert.ok(!text.includes("__rewrite"), "nothing calls the compiler's function here");
});

test("a task in an installed project is checked by the compiler", { timeout: 180_000 }, () => {
  const { dir } = project();
  const compiler = join(ROOT, "node_modules/typescript/bin/tsc");
  const check = (path: string) => {
    const options = [
      "--noEmit",
      "--strict",
      "--module",
      "nodenext",
      "--target",
      "es2024",
      "--lib",
      "esnext,dom",
    ];
    const types = ["--typeRoots", join(ROOT, "node_modules/@types"), "--types", "node"];
    return spawnSync(process.execPath, [compiler, ...options, ...types, path], {
      cwd: dir,
      encoding: "utf8",
    });
  };
  const good = check("tasks/hello.ts");
  assert.equal(good.status, 0, good.stdout);
  writeFileSync(
    join(dir, "wrong.ts"),
    'import hello from "./tasks/hello.js";\nimport { publish } from "edge-dispatcher";\n' +
      "await hello.delay(1);\nawait publish(2);\n",
  );
  const bad = check("wrong.ts").stdout.split("\n").filter((line) => line.startsWith("wrong.ts"));
  assert.deepEqual(bad.map((line) => /^wrong\.ts\((\d+),\d+\): error TS2345/.exec(line)?.[1]), ["3", "4"]);
});

const NAMES: Runtime[] = ["node", "bun", "deno"];
for (const runtime of NAMES) {
  test(
    `an installed package runs a node, a task and a command on ${runtime}`,
    { timeout: 180_000 },
    async (t) => {
      const { dir } = project();
      const db = await database();
      t.after(() => db.drop());
      const client = await connect({ databaseUrl: db.url });
      t.after(() => client.close());
      const { config } = await loadConfig({ env: {}, flags: { database_url: db.url } });
      const plan = { role: "node" as const, dir, read: [], config, net: [new URL(db.url).host] };
      const narrow = denoFlags(plan, runtimes().deno);
      const flags = { deno: narrow, bun: [], node: [] }[runtime];
      const options = { runtime, cwd: dir, main: join(dir, LAUNCHER), flags };
      const node = await startNode({ ...options, url: db.url, args: ["--node", "packed", "--workers", "1"] });
      t.after(() => node.kill("SIGKILL"));
      const args = ["publish", "hello", JSON.stringify(runtime), "--wait", "--database-url", db.url];
      const { code, stdout, stderr } = await spawnCli(args, options);
      assert.equal(code, 0, stderr + node.stderr());
      assert.match(stdout, new RegExp(`^"Hello, ${runtime}!"$`, "m"));
      const [row] = await client.list();
      assert.deepEqual([row.state, row.node], ["completed", "packed"]);
      assert.deepEqual(
        [(await node.stop()).code, node.stderr().includes("Warning")],
        [0, false],
        node.stderr(),
      );
    },
  );
}

test("the scaffold's own scripts take commands on each runtime, and dispatcher takes them too", {
  timeout: 180_000,
}, () => {
  const { dir } = project();
  const version = JSON.parse(readFileSync(join(ROOT, "package.json"), "utf8")).version;
  const last = (text: string) => text.trim().split("\n").at(-1);
  assert.equal(last(done("npm", ["run", "--silent", "cli", "--", "--version"], dir)), version);
  assert.equal(last(done(runtimes().bun, ["run", "cli", "--version"], dir)), version);
  assert.equal(last(done(runtimes().deno, ["task", "--quiet", "cli", "--version"], dir)), version);
  const bin = join(dir, "node_modules/.bin");
  assert.equal(last(done(join(bin, "dispatcher"), ["--version"], dir)), version);
  assert.match(done(join(bin, "dispatcher"), ["init", "more"], dir), /^made tasks\/hello\.ts$/m);
  assert.ok(existsSync(join(dir, "more/package.json")));
  assert.match(done(join(bin, "edge-dispatcher"), ["--help"], dir), /^ {2}init /m);
});

test("JSR takes the package, types and all", { timeout: 180_000 }, () => {
  const args = ["publish", "--dry-run", "--allow-dirty", "--quiet"];
  const ended = spawnSync(runtimes().deno, args, { cwd: ROOT, encoding: "utf8" });
  assert.equal(ended.status, 0, ended.stdout + ended.stderr);
});
