/**
 * Whether the table may say of this node that it holds what it does not know of: the answer of a claim was lost, or the
 * word of what was handed over. Then nothing is claimed until the books were compared.
 *
 * @module
 */
import type { Events } from "../events.ts";
import type { Claimed, Store, Token } from "../store/store.ts";
import type { OnCall } from "./on_call.ts";

/** What came of comparing the books. */
export interface Compared {
  /** Envelopes that were given back. */
  given: number;
  /** What was handed over meanwhile. */
  begin: Claimed[];
}

/** The doubts of one dispatcher. */
export class Doubts {
  readonly #parts: { store: Pick<Store, "reconcile">; events: Events; onCall?: OnCall };
  #raised = false;
  #underway = false;

  constructor(parts: { store: Pick<Store, "reconcile">; events: Events; onCall?: OnCall }) {
    this.#parts = parts;
  }

  /** It may hold what it does not know of. */
  raise(): void {
    this.#raised = true;
  }

  /** Whether nothing may be claimed now. */
  get block(): boolean {
    return this.#raised || this.#underway;
  }

  /** Whether it is time to compare, once no claim is under way. */
  get areDue(): boolean {
    return this.#raised && !this.#underway;
  }

  /** Give back what the instance holds besides what is known. A doubt that is raised meanwhile is another one. */
  async compare(instance: string, known: Token[]): Promise<Compared> {
    const { store, events, onCall } = this.#parts;
    this.#underway = true;
    this.#raised = false;
    onCall?.keep();
    try {
      const given = await store.reconcile(instance, known);
      if (given.length > 0) {
        const text = `Gave back ${given.length} envelopes that this node did not know of`;
        events.emit("info", "store.reconciled", text);
      }
      return { given: given.length, begin: onCall?.reconciled(given) ?? [] };
    } catch (error) {
      this.#raised = true;
      throw error;
    } finally {
      this.#underway = false;
    }
  }
}
