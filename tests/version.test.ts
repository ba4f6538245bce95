import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { VERSION } from "../runtime/version.ts";
import { test } from "./harness.ts";

function read(name: string): Record<string, unknown> {
  return JSON.parse(readFileSync(new URL(`../${name}`, import.meta.url), "utf8"));
}

test("VERSION, package.json and deno.json agree", () => {
  assert.match(VERSION, /^\d+\.\d+\.\d+(-[0-9a-z.-]+)?$/);
  assert.deepEqual([read("package.json").version, read("deno.json").version], [VERSION, VERSION]);
});
