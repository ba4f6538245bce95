/** The tasks of docs/retries.md: what is tried again, when, and what is not. */
import { existsSync } from "node:fs";
import { Discard, Retry, task } from "edge-dispatcher";

export const flaky = task(
  { bind: true, maxAttempts: 5, backoff: { base: 1, factor: 3, max: 60 } },
  (context, succeedsAt: number): number => {
    if (context.attempt < succeedsAt) throw new Error(`attempt ${context.attempt} fails`);
    return context.attempt;
  },
);

export const polite = task(
  { maxAttempts: 4, backoff: (attempt, error) => error instanceof RangeError ? 60 : attempt },
  (): never => {
    throw new RangeError("slow down");
  },
);

export const send = task({ maxAttempts: 3 }, (status: number): string => {
  if (status === 429) throw new Retry("the service is busy", { delay: 30 });
  if (status === 410) throw new Discard("the account is closed");
  return "sent";
});

export const awaits = task((file: string): string => {
  if (!existsSync(file)) throw new Retry(`${file} is not there yet`, { delay: 10, charge: false });
  return file;
});
