// @runtimes deno
/** Completions, as real shells have them; one runtime is enough, since the scripts are the same on all. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { COMMANDS } from "../../cli/commands/index.ts";
import type { Command } from "../../cli/command.ts";
import { bashScript } from "../../cli/completions/bash.ts";
import { fishScript } from "../../cli/completions/fish.ts";
import { run } from "../../cli/main.ts";
import { tempDir, test } from "../harness.ts";
import { fakeIO } from "./fake_io.ts";

const KIND = { type: "string", value: "K", help: "Of this kind" } as const;
const missing = (shell: string) => spawnSync(shell, ["-c", "true"]).error ? `no ${shell} here` : false;

async function script(shell: string, ...args: string[]): Promise<string> {
  const io = fakeIO();
  assert.equal(await run(["completions", shell, ...args], io), 0);
  const file = join(tempDir(), `completions.${shell}`);
  writeFileSync(file, `${io.outLines.join("\n")}\n`);
  return file;
}

/** What bash offers behind a line whose last word is being written. */
function offered(file: string, line: string): string[] {
  const words = line.split(" ");
  const quoted = words.map((word) => `'${word}'`).join(" ");
  const text = `source '${file}'; COMP_WORDS=(${quoted}); COMP_CWORD=${words.length - 1};
    _dispatcherctl; printf '%s\\n' "\${COMPREPLY[@]}"`;
  const { stdout, stderr, status } = spawnSync("bash", ["-c", text], { encoding: "utf8" });
  assert.deepEqual([status, stderr], [0, ""], line);
  return stdout.split("\n").filter((word) => word !== "");
}

test(
  "bash completes commands, groups, flags, and the values that are known",
  { skip: missing("bash") },
  async () => {
    const file = await script("bash");
    const first = new Set(Object.keys(COMMANDS).map((name) => name.split(" ")[0]));
    assert.deepEqual(offered(file, "dispatcherctl ").sort(), [...first, "--help", "--version"].sort());
    assert.deepEqual(offered(file, "dispatcherctl pub"), ["publish"]);
    assert.deepEqual(offered(file, "dispatcherctl queue p"), ["pause", "purge"]);
    assert.deepEqual(offered(file, "dispatcherctl list --s"), ["--state"]);
    assert.deepEqual(offered(file, "dispatcherctl list --state dis"), ["discarded"]);
    assert.deepEqual(offered(file, "dispatcherctl publish --on-duplicate s"), ["serial"]);
    assert.deepEqual(offered(file, "dispatcherctl node scale n1 --j"), ["--json"]);
    assert.deepEqual(offered(file, "dispatcherctl migrate --d"), ["--database-url"]);
    assert.deepEqual(offered(file, "dispatcherctl migrate st"), ["status"]);
    assert.deepEqual(offered(file, "dispatcherctl list --limit "), []);
  },
);

test("the commands of an extension are completed word by word", { skip: missing("fish") }, () => {
  const command: Command = { ...COMMANDS.list, flags: { kind: { ...KIND, choices: ["mail", "call"] } } };
  const other: Command = { ...COMMANDS.list, flags: { kind: { ...KIND, choices: ["fax"] } } };
  const more = {
    ...COMMANDS,
    "crm contact list": command,
    "crm contact add": other,
    "crm queue drain": other,
  };
  const write = (shell: string, text: string) => {
    const file = join(tempDir(), shell);
    writeFileSync(file, `${text}\n`);
    return file;
  };
  const bash = write("bash", bashScript(more, "dispatcherctl"));
  const fish = write("fish", fishScript(more, "dispatcherctl"));
  const expected: [line: string, words: string[]][] = [
    ["dispatcherctl cr", ["crm"]],
    ["dispatcherctl crm ", ["contact", "queue"]],
    ["dispatcherctl crm contact ", ["add", "list"]],
    ["dispatcherctl crm queue ", ["drain"]],
    ["dispatcherctl queue pa", ["pause"]],
    ["dispatcherctl crm contact list --k", ["--kind"]],
    ["dispatcherctl crm contact list x y --k", ["--kind"]],
    ["dispatcherctl crm contact list --kind ", ["call", "fax", "mail"]],
  ];
  for (const [line, words] of expected) {
    assert.deepEqual(offered(bash, line).sort(), words, line);
    // Fish knows the values of each command's own flags.
    if (!line.includes("--kind ")) assert.deepEqual(fishOffers(fish, line).sort(), words, line);
  }
  assert.deepEqual(fishOffers(fish, "dispatcherctl crm contact add --kind "), ["fax"]);
});

test("bash knows every flag of every command", { skip: missing("bash") }, async () => {
  const file = await script("bash");
  for (
    const name of ["publish", "dispatcher", "queue list", "schedule next", "migrate roles", "node drain"]
  ) {
    const flags = [...Object.keys(COMMANDS[name].flags), "help"].map((flag) => `--${flag}`);
    assert.deepEqual(offered(file, `dispatcherctl ${name} --`).sort(), flags.sort(), name);
  }
});

test("completions of another name are for that name, and of an odd one refused", async () => {
  const io = fakeIO();
  assert.equal(await run(["completions", "bash", "--name", "edge"], io), 0);
  assert.equal(io.outLines.at(-1), "complete -o default -F _edge edge");
  assert.equal(await run(["completions", "zsh", "--name", "a; rm"], io), 2);
});

test("zsh completes commands and flags", { skip: missing("zsh") }, async () => {
  const file = await script("zsh");
  const text = `autoload -Uz compinit; compinit -u -D; source '${file}'
    compadd() { print -r -- "$@" }
    _describe() { print -r -- \${(P)4} }
    words=(dispatcherctl queue p); CURRENT=3; _dispatcherctl
    words=(dispatcherctl list --s); CURRENT=3; _dispatcherctl
    words=(dispatcherctl list --state x); CURRENT=4; _dispatcherctl
    print -r -- "\${_comps[dispatcherctl]}"`;
  const { stdout, stderr, status } = spawnSync("zsh", ["-f", "-c", text], { encoding: "utf8" });
  assert.deepEqual([status, stderr], [0, ""]);
  const [members, flags, states, registered] = stdout.split("\n");
  assert.match(members, /pause:Claim nothing.* purge:Cancel all/);
  assert.match(flags, /--state:scheduled, .* --json:/);
  assert.match(states, /^-- scheduled available running /);
  assert.equal(registered, "_dispatcherctl");
});

/** What fish offers there. */
function fishOffers(file: string, line: string): string[] {
  const text = `source ${file}; complete -C "${line}"`;
  const env = { ...process.env, HOME: tempDir(), XDG_CONFIG_HOME: tempDir() };
  const { stdout, stderr, status } = spawnSync("fish", ["--no-config", "-c", text], {
    encoding: "utf8",
    env,
  });
  assert.deepEqual([status, stderr], [0, ""]);
  return stdout.split("\n").filter((one) => one !== "").map((one) => one.split("\t")[0]);
}

test("fish completes commands and flags", { skip: missing("fish") }, async () => {
  const file = await script("fish");
  const offers = (line: string) => fishOffers(file, line);
  assert.deepEqual(offers("dispatcherctl pub"), ["publish"]);
  assert.deepEqual(offers("dispatcherctl queue p"), ["pause", "purge"]);
  assert.deepEqual(offers("dispatcherctl list --sta"), ["--state"]);
  assert.deepEqual(offers("dispatcherctl list --state dis"), ["discarded"]);
});
