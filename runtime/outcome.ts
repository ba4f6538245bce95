/**
 * How an envelope ended, as its publisher sees it.
 *
 * @module
 */
import { DispatcherError, type ErrorRecord } from "./errors.ts";
import type { Json } from "./json.ts";
import type { State } from "./state.ts";

/** How an envelope ended. */
export interface Outcome {
  uuid: string;
  state: State;
  result: Json;
  error: ErrorRecord | null;
}

/** The result, or the task's error as ours. */
export function resultOf(outcome: Outcome): Json {
  if (outcome.state === "completed") return outcome.result;
  const { name = "Error", message = outcome.state } = outcome.error ?? {};
  throw new DispatcherError(
    "task_failed",
    `Envelope ${outcome.uuid} was ${outcome.state}: ${name}: ${message}`,
    {
      cause: outcome.error ?? undefined,
    },
  );
}
