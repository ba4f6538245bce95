// @runtimes deno
/** The commands of the control plane beside the others: help, flags, words. */
import assert from "node:assert/strict";
import { COMMANDS } from "../../../cli/commands/index.ts";
import { commandHelp, groupHelp, mainHelp } from "../../../cli/help.ts";
import { commands } from "../../../tasks/commands/index.ts";
import extension from "../../../tasks/extension.ts";
import { test } from "../../harness.ts";

test("every command of the control plane has a summary, and every flag a line that says what stands for it", () => {
  for (const [name, command] of Object.entries(commands)) {
    assert.match(name, /^awx [a-z]+( [a-z]+)?$/);
    assert.match(command.summary, /^[A-Z].{10,120}[^.]$/, name);
    for (const [flag, { type, help, value, choices }] of Object.entries(command.flags)) {
      assert.ok(help.length > 5, `${name} --${flag}`);
      assert.equal(type === "boolean", value === undefined, `${name} --${flag}`);
      // Completions know a flag by its name alone.
      if (choices) assert.ok(choices.length > 1, `${name} --${flag}`);
    }
    assert.ok(commandHelp(name, command).startsWith(`Usage: cli ${name}`));
    assert.ok("json" in command.flags && "database-url" in command.flags, name);
  }
});

test("they are one line of the whole help and one a group of their own", () => {
  const line = mainHelp(COMMANDS, commands, extension.summary).split("\n").filter((text) =>
    text.includes("awx")
  );
  assert.deepEqual(line, [
    "  awx …              The control plane: jobs, workflows, projects, inventories; see cli awx --help",
  ]);
  const groups = groupHelp("awx", commands).split("\n");
  assert.ok(groups.includes("  awx job …           launch, list, show, stdout, events, cancel, relaunch"));
  assert.ok(groups.some((text) => text.startsWith("  awx export ")));
  assert.ok(groups.every((text) => text.length <= 120), groups.join("\n"));
});
