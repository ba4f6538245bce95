// @runtimes deno
/** What the guides name is there: commands, flags, pages, settings. */
import assert from "node:assert/strict";
import { existsSync, globSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { COMMANDS as OWN } from "../../cli/commands/index.ts";
import { configSchema } from "../../runtime/config.ts";
import { commands } from "../../tasks/commands/index.ts";
import { test } from "../harness.ts";

const COMMANDS = { ...commands, ...OWN };
const ROOT = fileURLToPath(new URL("../..", import.meta.url));
const PAGES = ["README.md", ...globSync("docs/**/*.md", { cwd: ROOT }).sort()]
  .map((path) => ({ path, text: readFileSync(join(ROOT, path), "utf8") }));

test("every command that a guide names exists, with the flags that it names", () => {
  let seen = 0;
  for (const { path, text } of PAGES) {
    for (const [said, inSpan, inFence] of text.matchAll(/`cli ([a-z][^`]*)`|^cli ([a-z].*)$/gm)) {
      const words = inSpan ?? inFence;
      const plain = words.split(/\s+/);
      const name = [3, 2, 1].map((n) => plain.slice(0, n).join(" ")).find((one) =>
        Object.hasOwn(COMMANDS, one)
      );
      // A group is asked for its help.
      if (name === undefined && / (--help|…)$/.test(words)) continue;
      assert.ok(name !== undefined, `${path}: ${said}`);
      for (const [, flag] of words.matchAll(/ --([a-z-]+)/g)) {
        assert.ok(
          flag === "help" || Object.hasOwn(COMMANDS[name].flags, flag),
          `${path}: ${said}: --${flag}`,
        );
      }
      seen++;
    }
  }
  assert.ok(seen > 30, `${seen}`);
});

test("every page that a guide links to is there", () => {
  for (const { path, text } of PAGES) {
    for (const [, target] of text.matchAll(/\]\((?!https?:)([^)#\s]+)(?:#[^)]*)?\)/g)) {
      assert.ok(existsSync(join(ROOT, dirname(path), target)), `${path}: ${target}`);
    }
  }
});

test("every setting of the pool that a guide names is one", () => {
  const pool = Object.keys(configSchema.parse({}).pool).concat("host_memory_mb", "task_permissions");
  for (const { path, text } of PAGES) {
    for (const [, key] of text.matchAll(/`pool\.([a-z_]+)/g)) {
      assert.ok(pool.includes(key), `${path}: pool.${key}`);
    }
  }
});
