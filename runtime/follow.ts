/**
 * Waiting for what becomes of an envelope.
 *
 * @module
 */
import { type Clock, jitter } from "./clock.ts";
import { DispatcherError } from "./errors.ts";
import type { Hints } from "./hints.ts";

const POLL_MS = { first: 20, most: 1_000 };

/** Whom to wait for, and how long. */
export interface Follow {
  uuid: string;
  /** Seconds. */
  within: number;
  signal?: AbortSignal;
  /** It was published this very moment: there is nothing to see yet, unless a hint says so. */
  fresh?: boolean;
}

/**
 * Look again and again, faster when a node says that it was settled, until something is found.
 *
 * @throws {DispatcherError} `timeout`.
 */
export async function follow<T>(
  { clock, hints }: { clock: Clock; hints: Hints },
  { uuid, within, signal, fresh }: Follow,
  look: () => Promise<T | undefined>,
): Promise<T> {
  const end = clock.monotonic() + within * 1000;
  // What is said from now on is heard, so that a first look would only be in the way of those who run it.
  let skips = fresh && hints.hearsAll(uuid);
  let hint = new AbortController();
  // Nobody reads a reason, and the error that is the default costs 80 us.
  const off = await hints.on(uuid, () => hint.abort(null));
  try {
    for (let pause: number = POLL_MS.first;; pause = Math.min(POLL_MS.most, pause * 1.5)) {
      const found = skips ? undefined : await look();
      if (found !== undefined) return found;
      skips = false;
      signal?.throwIfAborted();
      const left = end - clock.monotonic();
      if (left <= 0) throw new DispatcherError("timeout", `Waited ${within} s for "${uuid}" in vain`);
      const stop = signal ? AbortSignal.any([signal, hint.signal]) : hint.signal;
      await clock.sleep(Math.min(left, jitter(pause)), stop);
      if (hint.signal.aborted) hint = new AbortController();
    }
  } finally {
    off();
  }
}
