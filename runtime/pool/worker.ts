/**
 * The inside of a slot: one thread, one envelope at a time. What this file imports is what every slot costs at
 * its start.
 *
 * @module
 */
import { errorLine, type ErrorRecord } from "../errors.ts";
import { closeThread, heapUsed, threadPort, trapExits } from "../platform/thread.ts";
import { Registry } from "../registry.ts";
import { Executor } from "./executor.ts";
import { loadHooks } from "./hooks.ts";
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

// What bound tasks have asked and not heard yet, by number.
const asked = new Map<number, { resolve(value: unknown): void; reject(error: unknown): void }>();
let askSequence = 0;

const hooks = await loadHooks(env.hooks);
const executor = new Executor(new Registry(env), hooks, {
  timeout: (uuid, seconds) => say({ t: "timeout", uuid, seconds }),
  progress(uuid, text) {
    held = { uuid, text };
    const wait = sentAt + PROGRESS_EVERY_MS - performance.now();
    if (wait <= 0) flush();
    // Not left for the next call: there may be none for an hour.
    else next ??= setTimeout(flush, wait);
  },
  ask(uuid, what, payload) {
    const id = ++askSequence;
    return new Promise((resolve, reject) => {
      asked.set(id, { resolve, reject });
      say({ t: "ask", id, uuid, what }, JSON.stringify(payload));
    });
  },
  log: (uuid, level, message) => say({ t: "log", uuid, level }, JSON.stringify(message)),
});

function answered({ id, ok, value }: Extract<Order, { t: "answer" }>): void {
  const question = asked.get(id);
  asked.delete(id);
  if (ok) return question?.resolve(value);
  const { name, message, code } = value as ErrorRecord;
  question?.reject(Object.assign(new Error(message), { name, code }));
}

/** Close in peace: the hook first, then the thread. */
async function close(): Promise<void> {
  try {
    await hooks.onShutdown?.();
  } catch (error) {
    hookFailed("onShutdown", error);
  }
  say({ t: "closed" });
  closeThread();
}

function hookFailed(name: string, error: unknown): void {
  say({ t: "log", uuid: null, level: "error" }, JSON.stringify(`Hook ${name} failed: ${errorLine(error)}`));
}

// Armed while no task runs, if there is a hook for it.
let idleTimer: ReturnType<typeof setTimeout> | undefined;
function idle(): void {
  if (!hooks.onIdle) return;
  clearTimeout(idleTimer);
  idleTimer = setTimeout(async () => {
    try {
      await hooks.onIdle!();
    } catch (error) {
      hookFailed("onIdle", error);
    }
    idle();
  }, env.idleSeconds * 1000);
}

port.onMessage((text) => {
  const order: Order = JSON.parse(text);
  switch (order.t) {
    case "run":
      void run(order);
      break;
    case "abort":
      executor.abort(order.uuid, order.reason);
      break;
    case "answer":
      answered(order);
      break;
    case "close":
      void close();
  }
});

async function run(job: Extract<Order, { t: "run" }>): Promise<void> {
  clearTimeout(idleTimer);
  const { done, text } = await executor.run(job);
  flush();
  sentAt = -Infinity;
  // Whoever still waits for an answer waits in a task that is over.
  asked.clear();
  say({ ...done, heap: heapUsed() }, text);
  idle();
}

trapExits((what) => say({ t: "exit", what }));
await hooks.onStart?.();
say({ t: "ready", heap: heapUsed() });
idle();
