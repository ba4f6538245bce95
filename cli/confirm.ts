/**
 * Asking before much is done: a person is asked, a script must have said yes.
 *
 * @module
 */
import { DispatcherError } from "../runtime/errors.ts";
import type { Flags, Parsed } from "./args.ts";
import type { IO } from "./io.ts";
import { readLines } from "./lines.ts";

/** The flag that answers beforehand. */
export const YES_FLAG: Flags = {
  yes: { type: "boolean", help: "Do it without asking" },
};

/**
 * Go on only if it is wanted.
 *
 * @param what What would be done, such as `cancel 12 envelopes`.
 * @throws {DispatcherError} `refused` when nobody can be asked, or says no.
 */
export async function confirm(io: IO, flags: Parsed["flags"], what: string): Promise<void> {
  if (flags.yes) return;
  if (!io.interactive) throw new DispatcherError("refused", `Cannot ${what} without --yes`);
  io.err(`${what.charAt(0).toUpperCase()}${what.slice(1)}? [y/N]`);
  for await (const line of readLines(io.stdin)) {
    if (/^y(es)?$/i.test(line.trim())) return;
    break;
  }
  throw new DispatcherError("refused", `Cannot ${what}: it was not confirmed`);
}
