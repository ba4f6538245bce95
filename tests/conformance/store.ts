/** What every store must do: one suite, run on each implementation and server. It uses the port and nothing else. */
import { claiming } from "./store/claim.ts";
import { operating } from "./store/dead.ts";
import { looking } from "./store/look.ts";
import { messages } from "./store/messages.ts";
import { type MakeStore, storeTest } from "./store/moves.ts";
import { nodes } from "./store/nodes.ts";
import { publishing } from "./store/publish.ts";
import { recovering } from "./store/recover.ts";
import { settling } from "./store/settle.ts";

export type { MakeStore };

/**
 * Declare the suite; `makeStore` gives an empty store and sees to its end with `t.after`. `without` names tests of what
 * an implementation need not do; a name that there is not is an error.
 */
export function storeConformance(name: string, makeStore: MakeStore, without: readonly string[] = []): void {
  const declare = storeTest(name, makeStore);
  const left = new Set(without);
  const chosen: typeof declare = (title, run) => left.delete(title) || declare(title, run);
  for (const part of [publishing, claiming, settling, nodes, recovering, messages, looking, operating]) {
    part(chosen);
  }
  if (left.size > 0) throw new Error(`The suite has no test called "${[...left].join('", "')}"`);
}
