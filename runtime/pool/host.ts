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
import { keepCompiled } from "../platform/compiled.ts";
import { platform } from "../platform/detect.ts";
import type { Thread } from "../platform/platform.ts";
import { Gate } from "./gate.ts";
import type { HostCommand, HostReport, WorkerEnv } from "./protocol.ts";
import { isDone } from "./pool_texts.ts";
import { Tray, TRAY_BYTES } from "./tray.ts";
import { WORKER_ENV } from "./worker_texts.ts";

const WORKER = new URL("./worker.ts", import.meta.url);
const LOOK_EVERY_MS = 250;
const LAST_WORD_MS = 10;
/** How long the end of an attempt may wait for that of the next, when the thread has one. */
const TOGETHER_MS = 1;
const MB = 1024 * 1024;

const here = await platform();
const env: WorkerEnv = JSON.parse(process.env[WORKER_ENV] ?? "{}");
interface Entry {
  slot: number;
  thread: Thread;
  closed: () => void;
  /** What it may begin of the jobs it was given, and where it lays their ends; it shares both before it is ready. */
  gate: Gate | undefined;
  tray: Tray | undefined;
  /** Jobs that it was given. */
  given: number;
}
const threads = new Map<number, Entry>();

// Threads that have something lying in their trays.
const rung = new Set<Entry>();

// Reports of one turn of the event loop travel together; those of a thread that goes on by itself may wait for more.
let outbox: HostReport[] = [];
let flushing: "no" | "soon" | "now" = "no";
function report(message: HostReport, when: "soon" | "now" = "now"): void {
  outbox.push(message);
  hurry(when);
}
function hurry(when: "soon" | "now"): void {
  if (flushing === "now" || flushing === when) return;
  flushing = when;
  if (when === "now") setImmediate(flush);
  else setTimeout(flush, TOGETHER_MS);
}
function flush(): void {
  flushing = "no";
  for (const entry of rung) fetch(entry);
  rung.clear();
  if (outbox.length === 0) return;
  const batch = outbox;
  outbox = [];
  process.send?.(batch);
}

/** Put what a thread has laid in its tray behind what it has said before. */
function fetch({ tray, slot }: Entry): void {
  const text = tray?.fetch() ?? "";
  if (text !== "") outbox.push(["said", slot, text]);
}

function open(slot: number): void {
  const entry = { slot, closed: () => {}, given: 0 } as Partial<Entry> as Entry;
  entry.thread = here.spawnThread(WORKER, { memoryMb: env.workerMemoryMb }, {
    message(said) {
      if (typeof said === "string") heard(entry, said);
      else if ((said as unknown) instanceof SharedArrayBuffer) share(entry, said);
      // A task can post what it likes; all else is the bell of its tray, or does no harm as such.
      else {
        rung.add(entry);
        hurry("soon");
      }
    },
    ended(reason) {
      if (threads.get(slot) !== entry) return;
      threads.delete(slot);
      // Bun can report an error and let the thread live on.
      void entry.thread.terminate();
      // What it has ended is not run again, and not charged with its end.
      fetch(entry);
      report(["ended", slot, reason]);
    },
  });
  threads.set(slot, entry);
}

function heard(entry: Entry, said: string): void {
  entry.tray?.received();
  if (said === '{"t":"closed"}') return entry.closed();
  const goesOn = isDone(said) && entry.gate?.hasMore(entry.given);
  report(["said", entry.slot, said], goesOn ? "soon" : "now");
}

/** The first that comes of the right size is the worker's: it shares it before it loads anything of others. */
function share(entry: Entry, memory: SharedArrayBuffer): void {
  if (entry.tray || memory.byteLength !== TRAY_BYTES) return;
  entry.gate = new Gate(memory);
  entry.tray = new Tray(memory);
}

async function kill(slot: number, patience: number): Promise<void> {
  const entry = threads.get(slot);
  if (!entry) return report(["killed", slot, true]);
  threads.delete(slot);
  entry.gate?.takeBack(entry.given);
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
  fetch(entry);
  report(["killed", slot, answered || stopped]);
}

process.on("message", (batch: HostCommand[]) => {
  for (const command of batch) {
    try {
      obey(command);
    } catch (error) {
      if (command[0] !== "exit") report(["ended", command[1], errorRecord(error)]);
    }
  }
});

function obey(command: HostCommand): void {
  const entry = command[0] === "exit" ? undefined : threads.get(command[1]);
  switch (command[0]) {
    case "run":
      if (!entry) return;
      entry.given += command[3];
      return entry.thread.post(command[2]);
    case "post":
      return entry?.thread.post(command[2]);
    case "recall":
      if (entry) fetch(entry);
      return report(["recalled", command[1], entry?.gate?.takeBack(entry.given) ?? 0]);
    case "open":
      return open(command[1]);
    case "kill":
      return void kill(command[1], command[2]);
    case "exit":
      return end();
  }
}

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
await keepCompiled();
