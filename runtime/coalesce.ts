/**
 * Many small calls folded into few large ones, without a timer: what comes while a batch is under way makes
 * the next batch. One caller alone pays no delay; a hundred at once share one round trip.
 *
 * @module
 */
import { batchOf } from "./batch.ts";

/** How much is folded, and how many batches may be under way at a time. */
export interface CoalesceOptions<In> {
  /** Items in one batch at most. */
  max: number;
  /** Bytes of an item, where those bound a batch as well. */
  sizeOf?: (item: In) => number;
  /** Batches under way at most; 1 keeps the order of the items. */
  concurrency?: number;
}

interface Waiting<In, Out> {
  item: In;
  resolve: (value: Out) => void;
  reject: (reason: unknown) => void;
}

/**
 * Make a function that runs `batch` over the items of all calls that came meanwhile.
 *
 * @param batch Gets 1 to `max` items and resolves to one result for each, in their order.
 *
 * @example
 * ```ts
 * const double = coalesce(async (ns: number[]) => ns.map((n) => n * 2), { max: 100 });
 * await Promise.all([double(1), double(2)]); // [2, 4], by one batch
 * ```
 */
export function coalesce<In, Out>(
  batch: (items: In[]) => Promise<Out[]>,
  { max, concurrency = 1, sizeOf }: CoalesceOptions<In>,
): (item: In) => Promise<Out> {
  let waiting: Waiting<In, Out>[] = [];
  let underway = 0;
  let scheduled = false;
  const sizeOfCall = sizeOf && ((call: Waiting<In, Out>) => sizeOf(call.item));

  const start = () => {
    scheduled = false;
    while (underway < concurrency && waiting.length > 0) {
      const count = batchOf(waiting, max, sizeOfCall);
      const calls = waiting.slice(0, count);
      waiting = waiting.slice(count);
      underway++;
      void run(calls);
    }
  };
  const run = async (calls: Waiting<In, Out>[]) => {
    try {
      const results = await batch(calls.map((call) => call.item));
      calls.forEach((call, i) => call.resolve(results[i]));
    } catch (error) {
      for (const call of calls) call.reject(error);
    } finally {
      underway--;
      start();
    }
  };
  return (item) =>
    new Promise<Out>((resolve, reject) => {
      waiting.push({ item, resolve, reject });
      // A microtask later, so that the calls of one turn of the event loop share the first batch too.
      if (!scheduled && underway < concurrency) {
        scheduled = true;
        queueMicrotask(start);
      }
    });
}
