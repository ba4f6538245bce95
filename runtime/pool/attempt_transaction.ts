/**
 * A transaction of a running task's, in which its attempt is completed. The database's client is loaded by the first
 * task that asks for one.
 *
 * @module
 */
import { DispatcherError } from "../errors.ts";
import type { PublishOptions } from "../envelope.ts";
import type { OwnAttempt } from "../store/completion.ts";
import type { TaskContext, Transaction } from "../task.ts";
import type { AskWhat, Job } from "./protocol.ts";

/** What an attempt's transaction works with. */
export interface AttemptTransactionParts {
  ask(uuid: string, what: AskWhat, payload: unknown): Promise<unknown>;
  /** The JSON text of a result as it is stored, or an error. */
  kept(value: unknown): Promise<string>;
}

/** The transaction of one attempt. */
export class AttemptTransaction {
  readonly #job: Job;
  readonly #started: number;
  readonly #signal: AbortSignal;
  readonly #parts: AttemptTransactionParts;
  #state: "none" | "open" | "committing" | "committed" = "none";
  // Queues that have work after the commit.
  readonly #wakes = new Set<string>();

  constructor(job: Job, started: number, signal: AbortSignal, parts: AttemptTransactionParts) {
    this.#job = job;
    this.#started = started;
    this.#signal = signal;
    this.#parts = parts;
  }

  /** Whether the attempt is completed, whatever the task does from now on. */
  get committed(): boolean {
    return this.#state === "committed";
  }

  /** See {@link TaskContext.transaction}. */
  async run<R>(work: Parameters<TaskContext["transaction"]>[0]): Promise<R> {
    const { uuid, attempt } = this.#job;
    if (this.#state !== "none") {
      const why = this.#state === "open" ? "one is open" : "it had one that is, or may be, committed";
      throw new DispatcherError("refused", `Cannot begin a transaction for attempt ${attempt}: ${why}`);
    }
    this.#state = "open";
    let text = "null";
    try {
      const own = await this.#parts.ask(uuid, "transaction", null) as Omit<OwnAttempt, "uuid">;
      const { completeIn } = await import("../store/completion.ts");
      const value = await completeIn<R>({ ...own, uuid }, this.#signal, {
        work: (tx) => work(tx, this.#publisher(tx)) as R,
        settlement: async (value) => {
          text = await this.#parts.kept(value);
          return { result: text, record: this.#record(own.node) };
        },
        committing: () => {
          this.#state = "committing";
          return this.#parts.ask(uuid, "settling", true);
        },
      });
      this.#state = "committed";
      // Not awaited: it is true already.
      this.#parts.ask(uuid, "settled", { text, wakes: [...this.#wakes] }).catch(() => {});
      return value;
    } catch (error) {
      this.#failed(error as { code?: string });
      throw error;
    }
  }

  /** Rolled back, it may be tried again; what may have been committed may not. */
  #failed({ code }: { code?: string }): void {
    const begun = this.#state === "committing";
    if (begun && code === "unavailable") return;
    this.#state = "none";
    if (begun) this.#parts.ask(this.#job.uuid, "settling", false).catch(() => {});
  }

  /** As the settler writes it. */
  #record(node: string): string {
    const { attempt, worker } = this.#job;
    return JSON.stringify({
      attempt,
      node,
      worker,
      started_at: new Date(this.#started).toISOString(),
      finished_at: new Date().toISOString(),
      outcome: "completed",
    });
  }

  #publisher(tx: Transaction): TaskContext["publish"] {
    return async (task: string, args: unknown[] = [], options: PublishOptions = {}) => {
      const [{ seal }, { publishIn }, { wakesOf }, { packing }] = await Promise.all([
        import("../envelope.ts"),
        import("../store/postgres.ts"),
        import("../publisher.ts"),
        import("./content.ts"),
      ]);
      if (options.volatile) {
        throw new DispatcherError("invalid_envelope", `Cannot publish "${task}" in a transaction: volatile`);
      }
      const { guid } = this.#job.options;
      const envelope = await packing.pack(
        seal(task, args, guid === undefined ? options : { guid, ...options }),
      );
      const [{ isNew, duplicateOf }] = await publishIn(tx as never, [envelope]);
      for (const queue of wakesOf(envelope)) this.#wakes.add(queue);
      const { uuid, queue } = envelope;
      return { uuid, queue, known: !isNew && duplicateOf === null, duplicateOf };
    };
  }
}
