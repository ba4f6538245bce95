/**
 * The filter flags of `list` and of the commands that act on many.
 *
 * @module
 */
import type { Client } from "../runtime/client.ts";
import { type State, STATES } from "../runtime/state.ts";
import { didYouMean } from "../runtime/suggest.ts";
import { type Parsed, secondsOf, usage } from "./args.ts";

type Filter = NonNullable<Parameters<Client["list"]>[0]>;

/** Read the filter; an unknown state is an error. */
export function filterOf(flags: Parsed["flags"]): Filter {
  return {
    state: typeof flags.state === "string" ? flags.state.split(",").map(stateOf) : undefined,
    queue: flags.queue as string | undefined,
    task: flags.task as string | undefined,
    node: flags.node as string | undefined,
    olderSeconds: secondsOf(flags, "older"),
  };
}

function stateOf(word: string): State {
  const state = word.trim() as State;
  if (STATES.includes(state)) return state;
  throw usage(`Unknown state "${state}"${didYouMean(state, STATES)}`);
}
