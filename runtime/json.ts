/**
 * JSON that arrives as it was sent. `JSON.stringify` turns a Date into a string, drops `undefined`, makes
 * `null` of NaN and throws a nameless error at a BigInt; here each of them is refused by its path.
 *
 * NUL characters and unpaired surrogates are legal JSON (as escapes) and pass unchanged: the columns that keep
 * them are of type `json`, which stores the text as it is, and not `jsonb`, which refuses both.
 *
 * @module
 */
import { DispatcherError } from "./errors.ts";

/** More than any data has, and what every reader on the way can take: Node fails at 4,000 levels. */
const DEEPEST = 1_000;

/** Characters of a value at most, whatever is configured: a quarter of what a column of type json takes. */
const MOST_CHARS = 268_435_456;

/** Any value that JSON carries without loss. */
export type Json = null | boolean | number | string | Json[] | { [key: string]: Json };

/**
 * Encode a value as JSON text, or refuse it by path and kind. A property whose value is `undefined` is left
 * out, as JSON does; anything else that would change on the way is an error.
 *
 * @param what Names the value in the error, such as `args`.
 * @throws {DispatcherError} `invalid_args`, for instance `args[1] is a BigInt (10n), which JSON cannot carry`.
 *
 * @example
 * ```ts
 * encodeJson([1, { b: "x" }], "args"); // '[1,{"b":"x"}]'
 * ```
 */
export function encodeJson(value: unknown, what: string): string {
  const left = { chars: MOST_CHARS };
  refuse(value, what, [], left);
  try {
    // Not even tried: a gigabyte would be too much for one text, or for the memory.
    if (left.chars >= 0) return JSON.stringify(value);
  } catch {
    // Every character of it takes six, and that is too much for one text.
  }
  throw new DispatcherError(
    "invalid_args",
    `${what} has over ${MOST_CHARS} characters, more than any limit allows`,
  );
}

function refuse(value: unknown, path: string, above: object[], left: { chars: number }): void {
  if (--left.chars < 0) return;
  switch (typeof value) {
    case "string":
      left.chars -= value.length;
      return;
    case "boolean":
      return;
    case "number":
      if (Number.isFinite(value)) return;
      throw cannot(path, `${value}`, "pass null or a string");
    case "bigint":
      throw cannot(path, `a BigInt (${value}n)`, "pass a number or a string");
    case "undefined":
      throw cannot(path, "undefined", "pass null");
    case "function":
    case "symbol":
      throw cannot(path, `a ${typeof value}`, "pass plain data");
  }
  if (value === null) return;
  const object = value as object;
  if (above.includes(object)) throw cannot(path, "a reference to a value that contains it", "pass a tree");
  if (above.length >= DEEPEST) throw cannot(path, `nested over ${DEEPEST} levels deep`, "pass flatter data");
  above.push(object);
  if (Array.isArray(object)) {
    for (let i = 0; i < object.length; i++) refuse(object[i], `${path}[${i}]`, above, left);
  } else {
    refuseExotic(object, path);
    for (const key of Object.keys(object)) {
      const member = (object as Record<string, unknown>)[key];
      left.chars -= key.length;
      if (member !== undefined) refuse(member, `${path}.${key}`, above, left);
    }
  }
  above.pop();
}

function refuseExotic(object: object, path: string): void {
  if (object instanceof Date) throw cannot(path, "a Date", "pass date.toISOString()");
  const proto = Object.getPrototypeOf(object);
  // An object from another realm (a vm context, a frame) has another Object.prototype, but is as plain.
  if (proto === null || proto === Object.prototype || Object.getPrototypeOf(proto) === null) return;
  throw cannot(path, `a ${object.constructor?.name || "class instance"}`, "pass plain objects and arrays");
}

function cannot(path: string, kind: string, hint: string): DispatcherError {
  const where = path.length <= 200 ? path : `${path.slice(0, 200)}…`;
  return new DispatcherError("invalid_args", `${where} is ${kind}, which JSON cannot carry: ${hint}`);
}
