import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { readConfigFile } from "../runtime/config_file.ts";
import { DispatcherError } from "../runtime/errors.ts";
import { tempDir, test } from "./harness.ts";

function file(name: string, content: string): string {
  const path = join(tempDir(), name);
  writeFileSync(path, content);
  return path;
}

test("readConfigFile() reads the same from JSON, YAML and a module", async () => {
  const expected = { node: "n1", pool: { max_workers: 5 } };
  const json = JSON.stringify(expected);
  const yaml = "node: n1\npool:\n  max_workers: 5\n";
  for (
    const [name, text] of [
      ["a.json", json],
      ["a.yaml", yaml],
      ["a.yml", yaml],
      ["a.ts", `const c: object = ${json}; export default c;`],
      ["a.mjs", `export default ${json};`],
    ]
  ) assert.deepEqual(await readConfigFile(file(name, text)), expected, name);
});

test("readConfigFile() follows merge keys and takes an empty YAML file for no configuration", async () => {
  const merged = await readConfigFile(file("a.yml", "base: &b {x: 1}\npool:\n  <<: *b\n  y: 2\n"));
  assert.deepEqual(merged.pool, { x: 1, y: 2 });
  assert.deepEqual(await readConfigFile(file("a.yml", "# nothing yet\n")), {});
});

test("readConfigFile() names file and place of a fault, and never the text around it", async () => {
  const cases: [string, string, RegExp][] = [
    ["a.yml", "a: 1\na: hunter2\n", /it is not plain YAML \(DUPLICATE_KEY\), see line 2 column 1$/],
    ["a.yml", "a: {\nhunter2", /it is not plain YAML/],
    ["a.yml", "a: !vault hunter2\n", /it is not plain YAML/],
    ["a.yml", "a: *hunter2\n", /it is not plain YAML/],
    ["a.yml", "- hunter2\n", /it is not an object$/],
    ["a.json", '{"a": hunter2}', /it is not JSON/],
    ["a.toml", "a = 1", /its name must end in \.json, \.yaml, \.yml, \.ts, \.js or \.mjs$/],
  ];
  for (const [name, text, says] of cases) {
    const path = file(name, text);
    await assert.rejects(readConfigFile(path), (error) => {
      assert.ok(error instanceof DispatcherError && error.code === "config");
      assert.ok(error.message.startsWith(`Cannot read configuration "${path}": `));
      assert.match(error.message, says);
      return !error.message.includes("hunter2");
    });
  }
});
