/**
 * A worker host: a child process whose threads run the tasks, so that the dispatcher's own process never does.
 * It carries texts between the two, opens and kills threads, and dies with its dispatcher.
 *
 * | what can fail | what happens |
 * |---|---|
 * | a thread throws, exits, or uses up its heap where the runtime contains that | reported as `ended`; the siblings go on |
 * | a thread does not stop when told to (Deno, native code) | reported as not gone: the dispatcher replaces the whole host |
 * | the heap of one thread explodes where the runtime does not contain it (Bun, buffers on Node) | the watch below ends the process |
 * | a segmentation fault | the process is gone; the dispatcher sees the channel close |
 * | the dispatcher is killed | the channel closes, or this process has another parent: it ends itself, whatever its threads do |
 *
 * @module
 */
import process from "node:process";
import { setImmediate } from "node:timers";
import { errorRecord } from "../errors.ts";
import { platform } from "../platform/detect.ts";
import type { Thread } from "../platform/platform.ts";
import { type HostCommand, type HostReport, isDone, isLast, WORKER_ENV, type WorkerEnv } from "./protocol.ts";

const WORKER = new URL("./worker.ts", import.meta.url);
const LOOK_EVERY_MS = 250;
const LAST_WORD_MS = 10;
const MB = 1024 * 1024;

const here = await platform();
const env: WorkerEnv = JSON.parse(process.env[WORKER_ENV] ?? "{}");
interface Entry {
  thread: Thread;
  closed: () => void;
  /** What runs, by uuid; null when nothing does. */
  running: string | null;
  /** What comes next. */
  ahead: { uuid: string; text: string }[];
  /** It shall run nothing more. */
  spent: boolean;
}
const threads = new Map<number, Entry>();

// Reports of one turn of the event loop travel together.
let outbox: HostReport[] = [];
function report(message: HostReport): void {
  if (outbox.push(message) === 1) setImmediate(flush);
}
function flush(): void {
  const batch = outbox;
  outbox = [];
  process.send?.(batch);
}

function open(slot: number): void {
  const entry = { closed: () => {}, running: null, ahead: [], spent: false } as Partial<Entry> as Entry;
  entry.thread = here.spawnThread(WORKER, { memoryMb: env.workerMemoryMb }, {
    message(text) {
      if (text === '{"t":"closed"}') entry.closed();
      // A task can post what it likes; only texts are the worker's, and some other values cannot even be sent on.
      else if (typeof text === "string") {
        report(["said", slot, text]);
        if (isLast(text)) entry.spent = true;
        else if (entry.running !== null && isDone(text, entry.running)) next(entry);
      }
    },
    ended(reason) {
      if (threads.get(slot) !== entry) return;
      threads.delete(slot);
      // Bun can report an error and let the thread live on.
      void entry.thread.terminate();
      report(["ended", slot, reason]);
    },
  });
  threads.set(slot, entry);
}

/** Hand over what comes next, now that nothing runs. */
function next(entry: Entry): void {
  const job = entry.spent ? undefined : entry.ahead.shift();
  entry.running = job?.uuid ?? null;
  if (job) entry.thread.post(job.text);
}

function run(entry: Entry, uuid: string, text: string): void {
  entry.ahead.push({ uuid, text });
  if (entry.running === null) next(entry);
}

async function kill(slot: number, patience: number): Promise<void> {
  const entry = threads.get(slot);
  if (!entry) return report(["killed", slot, true]);
  threads.delete(slot);
  entry.spent = true;
  // A thread that answers is not busy and will really end; one that does not may only be stopped by the engine.
  const answered = await new Promise<boolean>((resolve) => {
    const timer = setTimeout(() => resolve(false), patience);
    entry.closed = () => {
      clearTimeout(timer);
      resolve(true);
    };
    entry.thread.post('{"t":"close"}');
  });
  const stopped = await entry.thread.terminate();
  report(["killed", slot, answered || stopped]);
}

process.on("message", (batch: HostCommand[]) => {
  for (const command of batch) {
    try {
      const entry = command[0] === "exit" ? undefined : threads.get(command[1]);
      if (command[0] === "run") entry && run(entry, command[2], command[3]);
      else if (command[0] === "post") entry?.thread.post(command[2]);
      else if (command[0] === "recall") report(["recalled", command[1], entry?.ahead.splice(0).length ?? 0]);
      else if (command[0] === "open") open(command[1]);
      else if (command[0] === "kill") void kill(command[1], command[2]);
      else end();
    } catch (error) {
      if (command[0] !== "exit") report(["ended", command[1], errorRecord(error)]);
    }
  }
});

// Nothing less is sure: exit handlers and busy threads could both hold the process.
function end(): void {
  process.kill(process.pid, "SIGKILL");
}
process.on("disconnect", end);
// Not enough on Deno (2.9): a dispatcher that dies with reports unread resets the channel, which is no "disconnect".
const dispatcher = process.ppid;
// A signal to the process group is for the dispatcher, which decides what becomes of its hosts.
process.on("SIGINT", () => {});
process.on("SIGTERM", () => {});

let lastRss = 0;
function look(): void {
  if (process.ppid !== dispatcher) end();
  const rss = process.memoryUsage.rss?.() ?? process.memoryUsage().rss;
  const full = rss > env.hostMemoryMb * MB;
  if (full || Math.abs(rss - lastRss) > MB) {
    lastRss = rss;
    report(["rss", rss]);
  }
  // The report above tells the dispatcher why.
  if (full) setTimeout(end, LAST_WORD_MS);
}
// At once too: the first report is how the dispatcher knows that this process is up.
look();
setInterval(look, LOOK_EVERY_MS);
