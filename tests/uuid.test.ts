import assert from "node:assert/strict";
import { copyUuid, hashUuid, isUuid, uuid7 } from "../runtime/uuid.ts";
import { test } from "./harness.ts";

/** The milliseconds in a version 7 uuid. */
function msOf(uuid: string): number {
  return Number.parseInt(uuid.slice(0, 8) + uuid.slice(9, 13), 16);
}

/** Later than any id that was made before in this process. */
function laterMs(): number {
  return msOf(uuid7()) + 1_000;
}

test("isUuid() takes the 8-4-4-4-12 form of any version and case", () => {
  const good = [
    "00000000-0000-0000-0000-000000000000",
    "d520da7d-66c1-4170-8305-ab89aec139f6",
    "D520DA7D-66C1-4170-8305-AB89AEC139F6",
    "ffffffff-ffff-ffff-ffff-ffffffffffff",
  ];
  for (const text of good) assert.equal(isUuid(text), true, text);
});

test("isUuid() refuses every other text", () => {
  const bad = [
    "",
    "d520da7d66c141708305ab89aec139f6",
    "{d520da7d-66c1-4170-8305-ab89aec139f6}",
    "d520da7d-66c1-4170-8305-ab89aec139f",
    "d520da7d-66c1-4170-8305-ab89aec139f6a",
    "d520da7d-66c1-4170-8305-ab89aec139f6\n",
    " d520da7d-66c1-4170-8305-ab89aec139f6",
    "g520da7d-66c1-4170-8305-ab89aec139f6",
    "d520da7d-66c14170--8305-ab89aec139f6",
  ];
  for (const text of bad) assert.equal(isUuid(text), false, JSON.stringify(text));
});

test("uuid7() has the version and the variant of RFC 9562", () => {
  for (let i = 0; i < 1_000; i++) {
    assert.match(uuid7(), /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
  }
});

test("uuid7() carries the given milliseconds", () => {
  const now = laterMs();
  assert.equal(msOf(uuid7(now)), now);
  assert.equal(msOf(uuid7(now + 17)), now + 17);
});

test("uuid7() increases strictly within a millisecond, beyond its 4,096 numbers too", () => {
  const now = laterMs();
  let last = uuid7(now);
  for (let i = 0; i < 10_000; i++) {
    const next = uuid7(now);
    assert.ok(next > last, `${next} follows ${last}`);
    last = next;
  }
  assert.ok(msOf(last) > now, "what does not fit into a millisecond borrows from the next");
});

test("uuid7() increases strictly when the clock steps back", () => {
  const now = laterMs();
  const first = uuid7(now);
  assert.ok(uuid7(now - 3_600_000) > first);
});

test("uuid7() draws another tail for each millisecond", () => {
  const now = laterMs();
  const uuids = Array.from({ length: 5_000 }, (_, i) => uuid7(now + (i >> 1)));
  assert.equal(new Set(uuids).size, 5_000);
  assert.equal(new Set(uuids.map((uuid) => uuid.slice(-17))).size, 2_500);
});

test("uuid7() of two processes share no tail", async () => {
  // With a query it is another module: as another process has it.
  const other: { uuid7: typeof uuid7 } = await import(`../runtime/uuid.ts?${crypto.randomUUID()}`);
  const now = laterMs();
  for (let i = 0; i < 1_000; i++) assert.notEqual(uuid7(now + i).slice(-17), other.uuid7(now + i).slice(-17));
});

test("hashUuid() is the MD5 of the text", () => {
  assert.equal(hashUuid(""), "d41d8cd9-8f00-b204-e980-0998ecf8427e");
  assert.equal(hashUuid("é"), "66ddcd97-cfde-abb2-f6fb-8a999b4bc76f");
});

test("copyUuid() depends on the entry and the node, not on the case of the uuid", () => {
  const uuid = "d520da7d-66c1-4170-8305-ab89aec139f6";
  assert.equal(copyUuid(uuid, "node-1"), hashUuid(`${uuid}/node-1`));
  assert.equal(copyUuid(uuid.toUpperCase(), "node-1"), copyUuid(uuid, "node-1"));
  assert.notEqual(copyUuid(uuid, "node-1"), copyUuid(uuid, "node-2"));
  assert.notEqual(copyUuid(uuid, "node-1"), copyUuid(uuid, "Node-1"));
});
