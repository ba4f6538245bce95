/**
 * Publishing in a task's transaction. Loaded by the first task that does so.
 *
 * @module
 */
import { coalesce } from "../coalesce.ts";
import { type PublishOptions, seal, type Sealed } from "../envelope.ts";
import { DispatcherError } from "../errors.ts";
import { wakesOf } from "../publisher.ts";
import { publishIn } from "../store/postgres_publish.ts";
import type { TaskContext, Transaction } from "../task.ts";
import { contentLength } from "../packing.ts";
import { packing } from "./content.ts";
import type { Job } from "./protocol.ts";

/** Envelopes in one statement at most. */
const BATCH = 500;

/**
 * What the task calls.
 *
 * @param wakes Gets the queues that have work after the commit.
 */
export function publisherIn(tx: Transaction, job: Job, wakes: Set<string>): TaskContext["publish"] {
  const { guid, traceparent } = job.options;
  // Those that are on their way at once share a statement.
  const put = coalesce((batch: Sealed[]) => publishIn(tx as never, batch), {
    max: BATCH,
    sizeOf: contentLength,
  });
  return async (task: string, args: unknown[] = [], options: PublishOptions = {}) => {
    if (options.volatile) {
      throw new DispatcherError("invalid_envelope", `Cannot publish "${task}" in a transaction: volatile`);
    }
    const envelope = await packing.pack(seal(task, args, { guid, traceparent, ...options }));
    const { isNew, duplicateOf } = await put(envelope);
    for (const queue of wakesOf(envelope)) wakes.add(queue);
    const { uuid, queue } = envelope;
    return { uuid, queue, known: !isNew && duplicateOf === null, duplicateOf };
  };
}
