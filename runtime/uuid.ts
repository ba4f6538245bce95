/**
 * UUIDs: version 7 for what we make (time-ordered, so that the index grows at one end), any version for what
 * we are given.
 *
 * @module
 */
import { createHash, randomFillSync } from "node:crypto";

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i;

/** Whether the text is a UUID of any version, in the 8-4-4-4-12 form. */
export function isUuid(text: string): boolean {
  return UUID.test(text);
}

// Written and read by uuid7 alone. Random bytes are drawn 256 at a time: a system call per id costs 1 µs.
const pool = new Uint8Array(10 * 256);
let used = pool.length;
let lastMs = 0;
let sequence = 0;

/**
 * Make a UUID version 7. Ids made by one process are strictly increasing, also within a millisecond and when
 * the clock steps back.
 *
 * @param now Milliseconds since 1970, by default the system's clock.
 */
export function uuid7(now: number = Date.now()): string {
  if (now > lastMs) {
    lastMs = now;
    sequence = 0;
  } else if (++sequence > 0xfff) {
    lastMs++;
    sequence = 0;
  }
  if (used + 10 > pool.length) {
    randomFillSync(pool);
    used = 0;
  }
  const ms = lastMs.toString(16).padStart(12, "0");
  const seq = sequence.toString(16).padStart(3, "0");
  let tail = "";
  for (let i = 0; i < 8; i++) {
    const byte = i === 0 ? (pool[used + i] & 0x3f) | 0x80 : pool[used + i];
    tail += byte.toString(16).padStart(2, "0");
  }
  used += 10;
  return `${ms.slice(0, 8)}-${ms.slice(8)}-7${seq}-${tail.slice(0, 4)}-${tail.slice(4)}`;
}

/**
 * Derive the uuid of a node's copy of a broadcast: the same entry on the same node gives the same uuid, so a
 * second delivery changes nothing. SQL computes the same value as `md5(uuid::text || '/' || node)::uuid`.
 */
export function copyUuid(uuid: string, node: string): string {
  return hashUuid(`${uuid.toLowerCase()}/${node}`);
}

/** A uuid that stands for a text: its MD5 in UUID form, as `md5(text)::uuid` in SQL. */
export function hashUuid(text: string): string {
  const hex = createHash("md5").update(text).digest("hex");
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20)}`;
}

/** The time in a uuid of version 7, in milliseconds since 1970; null for any other. */
export function timeOf(uuid: string): number | null {
  return uuid[14] === "7" ? hexOf(uuid, 0, 8) * 65_536 + hexOf(uuid, 9, 13) : null;
}

/** A part of a uuid as a number: a third of what slice() and parseInt() take. */
function hexOf(text: string, from: number, to: number): number {
  let value = 0;
  for (let i = from; i < to; i++) {
    const code = text.charCodeAt(i);
    // Letters of either case end in 1 to 6, where digits have their value.
    value = value * 16 + (code & 15) + (code > 57 ? 9 : 0);
  }
  return value;
}
