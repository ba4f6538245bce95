import assert from "node:assert/strict";
import fc from "fast-check";
import { Cipher, encryptedIn, UnknownKeyError } from "../runtime/cipher.ts";
import { seal } from "../runtime/envelope.ts";
import { uuid7 } from "../runtime/uuid.ts";
import { test } from "./harness.ts";

const key = (id: string) => ({ id, key: btoa(id.padEnd(32, "-")) });
const cipher = new Cipher([key("new"), key("old")]);
const owner = { uuid: uuid7(), task: "t" };

test("Cipher gives back what it encrypted, whatever JSON it is", async () => {
  const json = fc.jsonValue() as fc.Arbitrary<never>;
  await fc.assert(
    fc.asyncProperty(fc.array(json), fc.dictionary(fc.string(), json), async (args, kwargs) => {
      const plain = seal("t", args, { kwargs });
      const sealed = await cipher.seal(plain);
      const read = { args: JSON.parse(sealed.args), kwargs: JSON.parse(sealed.kwargs) };
      const opened = await cipher.openCall(read, sealed);
      assert.deepEqual([JSON.stringify(opened.args), JSON.stringify(opened.kwargs)], [
        plain.args,
        plain.kwargs,
      ]);
    }),
    { numRuns: 40 },
  );
});

test("Cipher keeps the shapes of the columns and shows nothing of what is in them", async () => {
  const callbacks = [{ task: "next", args: ["hunter2"], kwargs: { a: "hunter2" } }];
  const sealed = await cipher.seal(seal("t", ["hunter2"], { kwargs: { password: "hunter2" }, callbacks }));
  for (const text of [sealed.args, sealed.kwargs, sealed.options]) {
    assert.doesNotMatch(text, /hunter2|password/);
    assert.match(text, /"\$enc":\{"k":"new","iv":"[^"]{16}","ct":"[^"]+"\}/);
  }
  assert.ok(Array.isArray(JSON.parse(sealed.args)));
  const [{ task, ...call }] = JSON.parse(sealed.options).callbacks;
  const opened = await cipher.openCall(call, sealed);
  assert.deepEqual({ task, ...opened }, { task: "next", args: ["hunter2"], kwargs: { a: "hunter2" } });
});

test("Cipher encrypts the same twice differently, and leaves plain what it has no key for", async () => {
  const plain = seal("t", [1]);
  assert.notEqual((await cipher.seal(plain)).args, (await cipher.seal(plain)).args);
  assert.equal(await new Cipher([]).seal(plain), plain);
  assert.equal(await new Cipher([]).sealResult("1", owner), "1");
  assert.deepEqual(await cipher.openCall({ args: [1, { $enc: 1 }], kwargs: {} }, owner), {
    args: [1, { $enc: 1 }],
    kwargs: {},
  });
});

test("Cipher decrypts with every key it has, and names the one it has not", async () => {
  const old = await new Cipher([key("old")]).sealResult('"then"', owner);
  assert.equal(await cipher.openResult(JSON.parse(old), owner), "then");
  const stranger = JSON.parse(await new Cipher([key("other")]).sealResult('"then"', owner));
  await assert.rejects(cipher.openResult(stranger, owner), (error: Error) => {
    assert.ok(error instanceof UnknownKeyError);
    assert.match(error.message, /^Cannot decrypt the result of "[0-9a-f-]+": key "other" is not among/);
    return true;
  });
});

test("Cipher refuses what was changed, or moved to another envelope, field or key", async () => {
  const refused = { code: "invalid_envelope" };
  const text = await cipher.sealResult('"secret"', owner);
  const { $enc } = JSON.parse(text);
  await assert.rejects(cipher.openResult({ $enc }, { ...owner, uuid: uuid7() }), refused);
  await assert.rejects(cipher.openCall({ args: [{ $enc }], kwargs: {} }, owner), refused);
  const flipped = { ...$enc, ct: ($enc.ct[0] === "A" ? "B" : "A") + $enc.ct.slice(1) };
  await assert.rejects(cipher.openResult({ $enc: flipped }, owner), refused);
  await assert.rejects(cipher.openResult({ $enc: { ...$enc, k: "old" } }, owner), refused);
  await assert.rejects(cipher.openResult({ $enc: { ...$enc, eq: 1 } }, owner), refused);
});

test("Cipher makes equal calls with a rule for duplicates equal, and no others", async () => {
  const unique = (args: unknown[], kwargs = {}, task = "t") =>
    cipher.seal(seal(task, args, { kwargs, onDuplicate: "discard" }));
  const one = await unique([1, { b: 1, a: 2 }], { d: 1, c: 2 });
  const same = await unique([1, { a: 2, b: 1 }], { c: 2, d: 1 });
  assert.deepEqual([one.args, one.kwargs], [same.args, same.kwargs]);
  assert.notEqual(one.uuid, same.uuid);
  assert.notEqual((await unique([1], {}, "other")).args, (await unique([1])).args);
  assert.notEqual((await unique([2])).args, (await unique([1])).args);
  const read = { args: JSON.parse(one.args), kwargs: JSON.parse(one.kwargs) };
  assert.deepEqual((await cipher.openCall(read, same)).args, [1, { b: 1, a: 2 }]);
  await assert.rejects(cipher.openCall(read, { ...one, task: "other" }), { code: "invalid_envelope" });
});

test("Cipher refuses keys that are none, without showing them", () => {
  for (const [id, secret] of [["a", "aHVudGVyMg=="], ["a b", key("x").key], ["", key("x").key]]) {
    assert.throws(() => new Cipher([{ id, key: secret }]), (error: Error & { code: string }) => {
      assert.equal(error.code, "config");
      assert.ok(!error.message.includes(secret));
      return true;
    });
  }
});

test("encryptedIn() takes nothing else for encrypted", () => {
  const inside = { k: "a", iv: "b", ct: "c" };
  assert.deepEqual(encryptedIn({ $enc: inside }), inside);
  for (
    const odd of [null, 1, "x", [], {}, { $enc: 1 }, { $enc: null }, { $enc: { k: "a" } }, {
      $enc: inside,
      a: 1,
    }]
  ) {
    assert.equal(encryptedIn(odd), undefined);
  }
});
