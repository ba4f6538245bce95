/** What every store must do: one suite, run on each implementation and server. It uses the port and nothing else. */
import { auditing } from "./store/audit.ts";
import { claiming } from "./store/claim.ts";
import { operating } from "./store/dead.ts";
import { looking } from "./store/look.ts";
import { messages } from "./store/messages.ts";
import { type MakeStore, storeTest } from "./store/moves.ts";
import { overlooking } from "./store/overlook.ts";
import { nodes } from "./store/nodes.ts";
import { publishing } from "./store/publish.ts";
import { recovering } from "./store/recover.ts";
import { settling } from "./store/settle.ts";
import { choosing } from "./store/triage.ts";

export type { MakeStore };

/**
 * Declare the suite; `makeStore` gives an empty store and sees to its end with `t.after`. With `only`, of an
 * implementation that does not grow any more, no other tests; those of them that there are are returned.
 */
export function storeConformance(name: string, makeStore: MakeStore, only?: readonly string[]): string[] {
  const declare = storeTest(name, makeStore);
  const declared: string[] = [];
  const chosen: typeof declare = (title, run) => {
    if (only && !only.includes(title)) return;
    declared.push(title);
    declare(title, run);
  };
  for (
    const part of [
      publishing,
      claiming,
      settling,
      nodes,
      recovering,
      messages,
      looking,
      overlooking,
      operating,
      auditing,
      choosing,
    ]
  ) {
    part(chosen);
  }
  return declared;
}
