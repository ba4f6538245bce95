/**
 * What SIGTERM and Ctrl-C mean to a process that stays.
 *
 * @module
 */
import process from "node:process";
import { EXIT } from "../runtime/errors.ts";

/** How far it is told to go. */
export interface Signals {
  /** Stop: the first signal. */
  stop: AbortSignal;
  /** Wait no longer: the second one. */
  hurry: AbortSignal;
  end(): void;
}

/** SIGTERM or Ctrl-C drains, a second one skips the wait, a third one ends the process. */
export function watchSignals(): Signals {
  const stop = new AbortController();
  const hurry = new AbortController();
  const count = () => {
    if (!stop.signal.aborted) stop.abort();
    else if (!hurry.signal.aborted) hurry.abort();
    else process.exit(EXIT.forced);
  };
  process.on("SIGINT", count);
  process.on("SIGTERM", count);
  return { stop: stop.signal, hurry: hurry.signal, end: () => stop.abort() };
}
