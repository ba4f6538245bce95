/**
 * The inside of a slot: one thread, one envelope at a time. What this file imports is what every slot costs at
 * its start.
 *
 * @module
 */
import { closeThread, heapUsed, threadPort, trapExits } from "../platform/thread.ts";
import { Registry } from "../registry.ts";
import { Executor } from "./executor.ts";
import { type Order, type Report, WORKER_ENV, type WorkerEnv, writeReport } from "./protocol.ts";

const PROGRESS_EVERY_MS = 100;

const port = await threadPort();
const env: WorkerEnv = JSON.parse(process.env[WORKER_ENV] ?? "{}");
const say = (report: Report, text?: string) => port.post(writeReport(report, text));

// Progress of the running job: the last one that is held back, when one was last sent, and when the next may be.
let held: { uuid: string; text: string } | undefined;
let sentAt = -Infinity;
let next: ReturnType<typeof setTimeout> | undefined;

function flush(): void {
  clearTimeout(next);
  next = undefined;
  if (!held) return;
  sentAt = performance.now();
  say({ t: "progress", uuid: held.uuid }, held.text);
  held = undefined;
}

const executor = new Executor(new Registry(env), {
  timeout: (uuid, seconds) => say({ t: "timeout", uuid, seconds }),
  progress(uuid, text) {
    held = { uuid, text };
    const wait = sentAt + PROGRESS_EVERY_MS - performance.now();
    if (wait <= 0) flush();
    // Not left for the next call: there may be none for an hour.
    else next ??= setTimeout(flush, wait);
  },
});

port.onMessage((text) => {
  const order: Order = JSON.parse(text);
  switch (order.t) {
    case "run":
      void run(order);
      break;
    case "abort":
      executor.abort(order.uuid, order.reason);
      break;
    case "close":
      say({ t: "closed" });
      closeThread();
  }
});

async function run(job: Extract<Order, { t: "run" }>): Promise<void> {
  const { done, text } = await executor.run(job);
  flush();
  sentAt = -Infinity;
  say({ ...done, heap: heapUsed() }, text);
}

trapExits((what) => say({ t: "exit", what }));
say({ t: "ready", heap: heapUsed() });
