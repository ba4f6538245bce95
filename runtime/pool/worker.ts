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

// The last progress that was held back, and when one was last sent; both belong to the running job.
let held: { uuid: string; text: string } | undefined;
let sentAt = 0;

const executor = new Executor(new Registry(env), {
  timeout: (uuid, seconds) => say({ t: "timeout", uuid, seconds }),
  progress(uuid, text) {
    const now = performance.now();
    if (now - sentAt < PROGRESS_EVERY_MS) {
      held = { uuid, text };
      return;
    }
    sentAt = now;
    held = undefined;
    say({ t: "progress", uuid }, text);
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
  if (held) say({ t: "progress", uuid: held.uuid }, held.text);
  held = undefined;
  sentAt = 0;
  say({ ...done, heap: heapUsed() }, text);
}

trapExits((what) => say({ t: "exit", what }));
say({ t: "ready", heap: heapUsed() });
