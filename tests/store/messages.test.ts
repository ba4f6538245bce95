import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { Messages } from "../../runtime/store/messages.ts";
import { Random } from "../chaos/random.ts";
import { test } from "../harness.ts";

/** A message of so many bytes in all, which tells of its number. */
function message(size: number, number: number): Buffer {
  const bytes = Buffer.alloc(size, number % 251);
  bytes.write("D");
  bytes.writeUInt32BE(size - 1, 1);
  return bytes;
}

/** Read all of it as a socket does, so many bytes at a time; what was handed out, and the most room there was. */
function read(
  all: Buffer,
  pieces: () => number,
): { handed: Buffer; times: number; most: number; last: number } {
  const messages = new Messages();
  const handed: Buffer[] = [];
  let [most, last] = [0, 0];
  for (let at = 0; at < all.length;) {
    const room = messages.room();
    assert.ok(room.length > 0, "there is always room");
    most = Math.max(most, room.length);
    const count = Math.min(pieces(), room.length, all.length - at);
    room.set(all.subarray(at, at + count));
    at += count;
    messages.came(count, (some) => {
      // It is whole: the lengths of its messages lead to its end.
      let end = 0;
      while (end < some.length) end += 1 + some.readUInt32BE(end + 1);
      assert.equal(end, some.length);
      handed.push(Buffer.from(some));
    });
    last = messages.room().length;
  }
  return { handed: Buffer.concat(handed), times: handed.length, most, last };
}

test("Messages hands out what came, whole and in order, however it is cut", () => {
  const random = new Random(7);
  for (let round = 0; round < 60; round++) {
    const sizes = Array.from(
      { length: random.between(1, 60) },
      () => random.between(0, 9) === 0 ? random.between(5, 200_000) : random.between(5, 300),
    );
    const all = Buffer.concat(sizes.map(message));
    const most = [1, 7, 300, 70_000][round % 4];
    const { handed } = read(all, () => random.between(1, most));
    assert.ok(handed.equals(all), `round ${round}`);
  }
});

test("Messages hands out all that is whole at once", () => {
  const all = Buffer.concat(Array.from({ length: 100 }, (_, i) => message(50, i)));
  assert.equal(read(all, () => 10_000).times, 1);
});

test("Messages keeps no more memory than a quarter of a megabyte behind a message that was larger", () => {
  const large = message(5_000_000, 1);
  const { handed, most, last } = read(Buffer.concat([large, message(100, 2)]), () => 1_000_000);
  assert.equal(handed.length, large.length + 100);
  assert.ok(most > 1_000_000 && most <= large.length, `${most}`);
  assert.equal(last, 2 ** 18);
});

test("Messages takes no memory for what has not come, whatever a length says", () => {
  const other = Buffer.concat([Buffer.from("SSH-2.0-no_database\r\n"), Buffer.alloc(100)]);
  const { handed, most } = read(other, () => 10);
  assert.equal(handed.length, 0);
  assert.equal(most, 2 ** 16);
});
