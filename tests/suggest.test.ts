import assert from "node:assert/strict";
import { didYouMean, suggest } from "../runtime/suggest.ts";
import { test } from "./harness.ts";

const KNOWN = ["status", "running", "publish", "cancel", "list"];

test("suggest() gives the known word that is closest", () => {
  const cases: [string, string][] = [
    ["stauts", "status"],
    ["RUNING", "running"],
    ["pubish", "publish"],
    ["lists", "list"],
    ["cancle", "cancel"],
  ];
  for (const [typed, meant] of cases) assert.equal(suggest(typed, KNOWN), meant);
});

test("suggest() gives nothing when nothing is close", () => {
  for (const typed of ["frobnicate", "", "x"]) assert.equal(suggest(typed, KNOWN), undefined, typed);
  assert.equal(suggest("status", []), undefined);
});

test("suggest() allows a long word more faults than a short one", () => {
  assert.equal(suggest("worker_max_lifetime", ["worker_max_lifetime_sec"]), "worker_max_lifetime_sec");
  assert.equal(suggest("lifo", ["list"]), "list");
  assert.equal(suggest("loof", ["list"]), undefined);
});

test("suggest() gives the first of those that are equally close", () => {
  assert.equal(suggest("lis", ["list", "lisp"]), "list");
});

test("didYouMean() is a remark, or nothing", () => {
  assert.equal(didYouMean("stauts", KNOWN), ' (did you mean "status"?)');
  assert.equal(didYouMean("frobnicate", KNOWN), "");
});
