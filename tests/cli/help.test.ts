import assert from "node:assert/strict";
import { COMMANDS } from "../../cli/commands/index.ts";
import { groupHelp, mainHelp } from "../../cli/help.ts";
import { run } from "../../cli/main.ts";
import { VERSION } from "../../runtime/version.ts";
import { test } from "../harness.ts";
import { spawnCli } from "../processes.ts";
import { fakeIO } from "./fake_io.ts";

const GROUPS = [
  ...new Set(Object.keys(COMMANDS).filter((name) => name.includes(" ")).map((n) => n.split(" ")[0])),
];
/** What CLI.md promises of this version. */
const PROMISED = [
  ...["dispatcher", "publish", "status", "running", "list", "show", "result", "cancel", "control", "alive"],
  ...["queue list", "node list", "node ping", "migrate", "migrate up", "migrate status", "migrate sql"],
  ...["db start", "db status", "db stop", "db url", "config show", "config check", "config schema"],
];

async function said(...argv: string[]): Promise<{ code: number; out: string[]; err: string[] }> {
  const io = fakeIO();
  const code = await run(argv, io);
  return { code, out: io.outLines, err: io.errLines };
}

test("the command line has every command that is promised", () => {
  assert.deepEqual(PROMISED.filter((name) => !Object.hasOwn(COMMANDS, name)), []);
});

for (const name of Object.keys(COMMANDS)) {
  test(`${name} --help prints usage, summary and every flag on stdout and exits 0`, async () => {
    for (const flag of ["--help", "-h"]) {
      const { code, out, err } = await said(...name.split(" "), flag);
      const { summary, flags } = COMMANDS[name];
      assert.deepEqual({ code, err }, { code: 0, err: [] });
      assert.match(out[0], new RegExp(`^Usage: cli ${name}( |$)`));
      assert.ok(out.includes(summary));
      for (const given of Object.keys(flags)) {
        assert.ok(out.some((line) => line.startsWith(`  --${given} `) || line === `  --${given}`), given);
      }
    }
  });
}

test("--help wins over whatever else is on the line, and connects to nothing", async () => {
  const nowhere = "postgres://nobody@127.0.0.1:1/none";
  const { code, err } = await said(
    "publish",
    "examples/add",
    "not json",
    "--database-url",
    nowhere,
    "--help",
  );
  assert.deepEqual({ code, err }, { code: 0, err: [] });
});

test("every flag has a line of help, and every one with a value says what stands for it", () => {
  const poor = Object.entries(COMMANDS).flatMap(([name, { flags }]) =>
    Object.entries(flags).filter(([, { type, help, value }]) =>
      help.trim() === "" || (type === "boolean") !== (value === undefined)
    ).map(([flag]) => `${name} --${flag}`)
  );
  assert.deepEqual(poor, []);
});

test("the command line without a word, with help and with --help lists every command and exits 0", async () => {
  for (const argv of [[], ["help"], ["--help"], ["-h"]]) {
    const { code, out, err } = await said(...argv);
    assert.deepEqual({ code, err }, { code: 0, err: [] });
    for (const [name, { summary }] of Object.entries(COMMANDS)) {
      assert.ok(out.some((line) => line.startsWith(`  ${name} `) && line.endsWith(summary)), name);
    }
  }
});

test("--version prints the version alone", async () => {
  assert.deepEqual(await said("--version"), { code: 0, out: [VERSION], err: [] });
});

test("a group with --help lists its commands on stdout and exits 0", async () => {
  const groups = ["completions", "config", "db", "deploy", "health", "migrate", "node", "queue", "schedule"];
  assert.deepEqual([...GROUPS].sort(), groups);
  for (const group of GROUPS.filter((name) => !Object.hasOwn(COMMANDS, name))) {
    const { code, out, err } = await said(group, "--help");
    assert.deepEqual({ code, err }, { code: 0, err: [] });
    const members = Object.keys(COMMANDS).filter((name) => name.startsWith(`${group} `));
    for (const name of members) assert.ok(out.some((line) => line.startsWith(`  ${name} `)), name);
  }
});

test("a group without a command lists its commands on stderr and exits 2", async () => {
  const { code, out, err } = await said("queue");
  assert.deepEqual({ code, out }, { code: 2, out: [] });
  assert.equal(err[0], "Usage: cli queue COMMAND");
});

test("an unknown command exits 2 and names what may have been meant", async () => {
  const wrong: [argv: string[], says: string][] = [
    [["publsh"], 'Unknown command "publsh" (did you mean "publish"?)'],
    [["stauts"], 'Unknown command "stauts" (did you mean "status"?)'],
    [["frobnicate"], 'Unknown command "frobnicate"'],
    [["queue", "lst"], 'Unknown command "queue lst" (did you mean "queue list"?)'],
    [["node", "pong"], 'Unknown command "node pong" (did you mean "node ping"?)'],
    [["db", "strat"], 'Unknown command "db strat" (did you mean "db start"?)'],
    [["constructor"], 'Unknown command "constructor"'],
    [["toString", "x"], 'Unknown command "toString"'],
  ];
  for (const [argv, says] of wrong) {
    assert.deepEqual(await said(...argv), { code: 2, out: [], err: [says] });
  }
});

test("an unknown subcommand of a command that is also a group exits 2 and runs nothing", async () => {
  const { code, out, err } = await said(
    "migrate",
    "statsu",
    "--database-url",
    "postgres://nobody@127.0.0.1:1/none",
  );
  assert.deepEqual({ code, out }, { code: 2, out: [] });
  assert.deepEqual(err, ['Unknown command "migrate statsu" (did you mean "migrate status"?)']);
});

test("a word behind a command that takes none exits 2 and runs nothing", async () => {
  const wordless = Object.keys(COMMANDS).filter((name) => !COMMANDS[name].words && name !== "migrate");
  assert.ok(wordless.includes("status") && wordless.includes("dispatcher"));
  for (const name of wordless) {
    const { code, out, err } = await said(...name.split(" "), "n1");
    assert.deepEqual({ code, out }, { code: 2, out: [] }, name);
    assert.deepEqual(err, [`Cannot run ${name} with "n1": it takes flags only`], name);
  }
});

test("an unknown flag of any command exits 2, whatever the command", async () => {
  for (const name of Object.keys(COMMANDS)) {
    const { code, out, err } = await said(...name.split(" "), "--hepl");
    assert.deepEqual({ code, out }, { code: 2, out: [] }, name);
    assert.deepEqual(err, ['Unknown flag "--hepl" (did you mean "--help"?)'], name);
  }
});

test("the program itself ends with help on stdout and 0, and with an error on stderr and 2", async () => {
  const [help, wrong] = await Promise.all([spawnCli(["publish", "--help"]), spawnCli(["publsh"])]);
  assert.equal(help.code, 0);
  assert.match(help.stdout, /^Usage: cli publish TASK \[JSON-ARGS…\] \| -\n/);
  assert.deepEqual({ code: wrong.code, stdout: wrong.stdout }, { code: 2, stdout: "" });
  assert.match(wrong.stderr, /^Unknown command "publsh" \(did you mean "publish"\?\)$/m);
});

test("the commands of an extension are one line of the help, and theirs a line for each word", () => {
  const command = { ...COMMANDS.list, summary: "Does it" };
  const extension = { "crm mail send": command, "crm mail list": command, "crm sync": command };
  const help = mainHelp(COMMANDS, extension, "Customers").split("\n");
  assert.equal(help.filter((line) => line.includes("crm")).length, 1);
  assert.ok(help.some((line) => /^ {2}crm … +Customers; see cli crm --help$/.test(line)));
  assert.deepEqual(groupHelp("crm", extension).split("\n"), [
    "Usage: cli crm COMMAND",
    "",
    "  crm mail …  send, list",
    "  crm sync    Does it",
  ]);
  assert.deepEqual(groupHelp("crm mail", extension).split("\n").slice(2), [
    "  crm mail send  Does it",
    "  crm mail list  Does it",
  ]);
});
