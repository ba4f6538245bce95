/**
 * UUIDs: version 7 for what we make (time-ordered, so that the index grows at one end), any version for what
 * we are given.
 *
 * @module
 */
import { createHash, randomBytes } from "node:crypto";

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i;

/** Whether the text is a UUID of any version, in the 8-4-4-4-12 form. */
export function isUuid(text: string): boolean {
  return UUID.test(text);
}

/** The numbers within a millisecond, as they are written. */
const NUMBERS = Array.from({ length: 0x1000 }, (_, number) => number.toString(16).padStart(3, "0"));

// Written and read by uuid7 and beginMs alone.
let lastMs = -1;
let number = 0;
let head = "";
let tail = "";

/**
 * Make a UUID version 7. Ids made by one process are strictly increasing, also within a millisecond and when
 * the clock steps back. Those of one millisecond differ in their number alone and share 62 random bits, which no other
 * process has: a batch of them takes a quarter of the room where it is compressed, and an id is made in a tenth of the time.
 * So one of them tells the others: they are names, not secrets.
 *
 * @param now Milliseconds since 1970, by default the system's clock.
 */
export function uuid7(now: number = Date.now()): string {
  if (now > lastMs) beginMs(now);
  else if (++number === NUMBERS.length) beginMs(lastMs + 1);
  return head + NUMBERS[number] + tail;
}

function beginMs(ms: number): void {
  lastMs = ms;
  number = 0;
  const time = ms.toString(16).padStart(12, "0");
  const random = randomBytes(8);
  // The variant of RFC 9562.
  random[0] = (random[0] & 0x3f) | 0x80;
  const hex = random.toString("hex");
  head = `${time.slice(0, 8)}-${time.slice(8)}-7`;
  tail = `-${hex.slice(0, 4)}-${hex.slice(4)}`;
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
