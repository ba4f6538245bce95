/**
 * Publishing with a rule for duplicates, once a transaction: each job that ends tells the managers, and a hundred that
 * end together need not do so a hundred times.
 *
 * @module
 */
import type { Publish } from "../jobs/model/trigger.ts";

/** The same publisher, without what it has sent already under `queue_one`. */
export function once(publish: Publish): Publish {
  const sent = new Map<string, Promise<unknown>>();
  return (task, args, options) => {
    if (options?.onDuplicate !== "queue_one") return publish(task, args, options);
    const key = JSON.stringify([task, args]);
    const sending = sent.get(key) ?? publish(task, args, options);
    sent.set(key, sending);
    return sending;
  };
}
