import assert from "node:assert/strict";
import { type Ask, hostFlags, isPermission } from "../../runtime/platform/deno_permissions.ts";
import { test } from "../harness.ts";

const NEEDS = { read: ["/code", "/tasks"], net: ["db:5432"] };
const nothing: Ask = () => false;

test("hostFlags() gives a host no more than its code, the tasks, the environment and the database", () => {
  assert.deepEqual(hostFlags(NEEDS, nothing, "/project"), [
    "--allow-read=/code,/tasks",
    "--allow-env",
    "--allow-net=db:5432",
  ]);
});

test("hostFlags() hands on what the node may do without limits, and the project where the node may read it", () => {
  const ask: Ask = (kind, path) =>
    kind === "net" || kind === "write" || (kind === "read" && path === "/project");
  assert.deepEqual(hostFlags(NEEDS, ask, "/project"), [
    "--allow-read=/code,/tasks,/project",
    "--allow-env",
    "--allow-net",
    "--allow-write",
  ]);
  assert.deepEqual(hostFlags(NEEDS, () => true, "/project"), ["--allow-all"]);
});

test("hostFlags() gives what the operator allows instead, added to what a host cannot do without", () => {
  const permissions = ["net=api.example.com", "--allow-net=b.example:443", "write=/srv", "deny-run", "sys"];
  assert.deepEqual(hostFlags({ ...NEEDS, permissions }, () => true, "/project"), [
    "--allow-read=/code,/tasks",
    "--allow-env",
    "--allow-net=db:5432,api.example.com,b.example:443",
    "--allow-write=/srv",
    "--allow-sys",
    "--deny-run",
  ]);
  assert.deepEqual(hostFlags({ ...NEEDS, permissions: ["all"] }, nothing, "/"), ["--allow-all"]);
  assert.ok(hostFlags({ ...NEEDS, permissions: ["read"] }, nothing, "/").includes("--allow-read"));
});

test("isPermission() knows Deno's kinds and nothing else", () => {
  for (const word of ["all", "net", "read=/a,/b", "allow-env=HOME", "--allow-run=git", "deny-net=10.0.0.1"]) {
    assert.ok(isPermission(word), word);
  }
  for (const word of ["", "network", "net=", "-A", "--no-prompt", "allow-all --x"]) {
    assert.ok(!isPermission(word), word);
  }
});
