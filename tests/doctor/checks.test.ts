import assert from "node:assert/strict";
import * as CHECK from "../../runtime/doctor/checks.ts";
import type { Finding } from "../../runtime/doctor/finding.ts";
import { faultOf } from "../../runtime/doctor/tasks.ts";
import { test } from "../harness.ts";
import { SHIPPED } from "../pool/rig.ts";

const said = (found: Finding[]) => found.map(({ status, text }) => `${status}: ${text}`);

test("connectionFindings() warns when most are used or nodes could take more than there are, and fails when few are left", () => {
  const of = (used: number, nodes: number, more = {}) =>
    CHECK.connectionFindings({ most: 100, used, role_limit: -1, database_limit: -1, ...more }, nodes)[0];
  assert.equal(of(20, 2).status, "ok");
  assert.equal(of(20, 2).text, "20 of 100 connections are used; 2 nodes take up to 14");
  assert.equal(of(85, 2).status, "warning");
  assert.equal(of(20, 20).status, "warning");
  assert.equal(of(96, 2).status, "failed");
  assert.match(of(96, 2).repair!, /^alter system set max_connections/);
  assert.equal(of(20, 2, { role_limit: 22 }).status, "failed");
  assert.match(of(20, 2, { role_limit: 22 }).repair!, /^alter role/);
  assert.equal(of(20, 2, { database_limit: 24 }).status, "failed");
});

test("clockFindings() warns of more than two seconds, either way", () => {
  assert.deepEqual(said(CHECK.clockFindings(-0.25)), [
    "ok: This machine's clock is 0.3 s behind the database's",
  ]);
  assert.match(said(CHECK.clockFindings(3))[0], /^warning: This machine's clock is 3\.0 s ahead of/);
  assert.match(said(CHECK.clockFindings(-3))[0], /^warning: .* behind/);
});

test("bloatFindings() tells dead rows, tables that are too large, and the transactions that keep both", () => {
  const table = { name: "envelope", live: 10, dead: 0, bytes: 1e6, index_bytes: 1e6, vacuums: true };
  assert.deepEqual(said(CHECK.bloatFindings([table], [])), [
    "ok: Dead rows are few, and no transaction keeps them",
  ]);
  const [dead] = CHECK.bloatFindings([{ ...table, dead: 60_000 }], []);
  assert.deepEqual([dead.status, dead.repair], ["warning", "vacuum (analyze) dispatcher.envelope;"]);
  const [large] = CHECK.bloatFindings([{ ...table, bytes: 2e9 }], []);
  assert.equal(large.text, "dispatcher.envelope takes 2000 MB and its indexes 1 MB for 10 rows");
  const [unswept] = CHECK.bloatFindings([{ ...table, vacuums: false }], []);
  assert.equal(unswept.status, "failed");
  const old = { pid: 7, gid: null, seconds: 1_800, application: "psql" };
  const [open, prepared] = CHECK.bloatFindings([], [old, { ...old, pid: null, gid: "g" }]);
  assert.equal(open.text, "A transaction of pid 7 (psql) is open for 30 min: what is dead stays");
  assert.equal(open.repair, "select pg_terminate_backend(7);");
  assert.equal(prepared.repair, "rollback prepared 'g';");
});

test("nodeFindings() tells that nobody is there, hears, leads or claims", () => {
  const node = { name: "n1", alive: true, state: "running", listener: "connected", leader: true };
  assert.deepEqual(said(CHECK.nodeFindings([node])), ["ok: 1 alive: n1"]);
  assert.equal(CHECK.nodeFindings([{ ...node, alive: false }])[0].text, "No node is alive: nothing runs");
  assert.equal(CHECK.nodeFindings([{ ...node, listener: "isolated" }])[0].status, "failed");
  assert.deepEqual(said(CHECK.nodeFindings([{ ...node, leader: false }])), [
    "warning: No node leads at this moment",
  ]);
  assert.deepEqual(said(CHECK.nodeFindings([{ ...node, state: "draining" }])), [
    "warning: All nodes drain: n1",
  ]);
});

test("wayFindings() tells what a pooler does to LISTEN and to named statements", () => {
  const way = { heardMs: 3, fault: null, pooler: "none", listenUrl: false, statements: "auto" } as const;
  assert.deepEqual(said(CHECK.wayFindings(way)), [
    "ok: A notification came back in 3 ms through database_url",
    "ok: PostgreSQL answers directly",
  ]);
  const statuses = (more: Partial<CHECK.Way>) =>
    CHECK.wayFindings({ ...way, ...more }).map(({ status }) => status);
  assert.deepEqual(statuses({ heardMs: null }), ["failed", "ok"]);
  assert.deepEqual(statuses({ pooler: "transaction", statements: "on" }), ["ok", "failed"]);
  assert.deepEqual(statuses({ pooler: "session", statements: "on" }), ["ok", "ok"]);
});

test("archiveFindings() has a repair unless rows lie where the partition would be", () => {
  assert.equal(CHECK.archiveFindings({ today: true, stray: true })[0].status, "ok");
  assert.equal(
    CHECK.archiveFindings({ today: false, stray: false })[0].repair,
    "select dispatcher.create_partitions(3);",
  );
  assert.equal(CHECK.archiveFindings({ today: false, stray: true })[0].repair, undefined);
});

test("faultOf() finds a task by each way of naming it without loading it, and says why one is none", () => {
  const place = { tasks: SHIPPED, task_prefixes: ["awx.main.tasks."], task_allow: [] as string[] };
  for (
    const name of ["examples/add", "examples.add", "awx.main.tasks.examples.add", "examples/retries#some"]
  ) {
    assert.equal(faultOf(name, place), null, name);
  }
  assert.equal(faultOf("examples/none", place), "there is no examples/none.ts");
  assert.match(faultOf("../mod", place)!, /^a path is made of names/);
  assert.equal(faultOf("examples/add", { ...place, task_allow: ["system/"] }), "only system/ are allowed");
});
