/**
 * A transaction of a running task's, in which its attempt is completed. The database's client is loaded by the first
 * task that asks for one.
 *
 * @module
 */
import { DispatcherError } from "../errors.ts";
import type { OwnAttempt } from "../store/completion.ts";
import type { TaskContext, Transaction } from "../task.ts";
import type { AskWhat, Job } from "./protocol.ts";

/** What is known of the attempt; see `Own` of the context. */
interface Attempt {
  readonly started: number;
  readonly progress?: string;
  kept(value: unknown): Promise<string>;
}

type Ask = (uuid: string, what: AskWhat, payload: unknown) => Promise<unknown>;

/** The transaction of one attempt. */
export class AttemptTransaction {
  readonly #job: Job;
  readonly #own: Attempt;
  readonly #signal: AbortSignal;
  readonly #ask: Ask;
  #state: "none" | "open" | "committing" | "committed" = "none";
  // Queues that have work after the commit.
  readonly #wakes = new Set<string>();

  constructor(job: Job, own: Attempt, signal: AbortSignal, ask: Ask) {
    this.#job = job;
    this.#own = own;
    this.#signal = signal;
    this.#ask = ask;
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
    this.#wakes.clear();
    let text = "null";
    try {
      const own = await this.#ask(uuid, "transaction", null) as Omit<OwnAttempt, "uuid">;
      const { completeIn }: typeof import("../store/completion.ts") = await import(
        "../store/completion.ts" as string
      );
      const value = await completeIn<R>({ ...own, uuid }, this.#signal, {
        work: (tx) => work(tx, this.#publisher(tx)) as R,
        settlement: async (value) => {
          text = await this.#own.kept(value);
          return { result: text, record: this.#record(own.node), progress: this.#own.progress ?? null };
        },
        committing: () => {
          this.#state = "committing";
          return this.#ask(uuid, "settling", true);
        },
      });
      this.#state = "committed";
      // Not awaited: it is true already.
      this.#ask(uuid, "settled", { text, wakes: [...this.#wakes] }).catch(() => {});
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
    if (begun) this.#ask(this.#job.uuid, "settling", false).catch(() => {});
  }

  /** As the settler writes it. */
  #record(node: string): string {
    const { attempt, worker } = this.#job;
    return JSON.stringify({
      attempt,
      node,
      worker,
      started_at: new Date(this.#own.started).toISOString(),
      finished_at: new Date().toISOString(),
      outcome: "completed",
    });
  }

  #publisher(tx: Transaction): TaskContext["publish"] {
    let publisher: Promise<TaskContext["publish"]> | undefined;
    const load = async () => {
      const { publisherIn }: typeof import("./transaction_publisher.ts") = await import(
        "./transaction_publisher.ts" as string
      );
      return publisherIn(tx, this.#job, this.#wakes);
    };
    return async (...call) => await (await (publisher ??= load()))(...call);
  }
}
