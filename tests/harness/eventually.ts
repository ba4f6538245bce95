import * as nodeTimers from "node:timers";

export interface EventuallyOptions {
  /** Milliseconds to go on trying, 10,000 unless told. */
  within?: number;
  /** Milliseconds between two tries, 25 unless told. */
  every?: number;
}

// Taken now, since a test may put a fake clock in the place of the global one.
const { setTimeout, clearTimeout } = nodeTimers;

/**
 * Call `fn` until it returns something truthy or, for one that asserts, until it stops throwing; give what it
 * returned. `undefined` counts only from a function that can return nothing else or that names `assert`:
 * `() => rows[0]` goes on waiting, `() => assert.equal(rows.length, 1)` and `() => { check(rows); }` do not.
 */
export async function eventually<T>(fn: () => T | Promise<T>, options: EventuallyOptions = {}): Promise<T> {
  const { within = 10_000, every = 25 } = options;
  const deadline = performance.now() + within;
  let last: unknown;
  for (;;) {
    try {
      const value = await oneTry(fn, deadline);
      if (value || (value === undefined && asserts(fn))) return value;
      last = new Error(`It last returned ${String(value) || "an empty string"}`);
    } catch (error) {
      last = error;
    }
    if (performance.now() + every > deadline) throw expired(fn, within, last);
    await new Promise((resolve) => setTimeout(resolve, every));
  }
}

/** A try that hangs must not outlive the deadline. */
async function oneTry<T>(fn: () => T | Promise<T>, deadline: number): Promise<T> {
  const { promise, reject } = Promise.withResolvers<never>();
  const timer = setTimeout(
    () => reject(new Error("The last try has not settled")),
    deadline - performance.now(),
  );
  try {
    return await Promise.race([promise, (async () => await fn())()]);
  } finally {
    clearTimeout(timer);
  }
}

function asserts(fn: () => unknown): boolean {
  const text = String(fn);
  if (/\bassert\b/.test(text)) return true;
  const isBlock = /^(async\s+)?(\([^)]*\)\s*=>\s*\{|function\b)/.test(text);
  return isBlock && !/\breturn\s*[^;\s}]/.test(text);
}

function expired(fn: () => unknown, within: number, last: unknown): Error {
  const awaited = String(fn).replace(/\s+/g, " ");
  const reason = last instanceof Error ? last.message : String(last);
  const shown = awaited.length > 160 ? awaited.slice(0, 160) + "…" : awaited;
  return new Error(`Waited ${within} ms for ${shown}: ${reason}`, { cause: last });
}
