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
import { errorRecord } from "../errors.ts";
import { keepCompiled } from "../platform/compiled.ts";
import { platform } from "../platform/detect.ts";
import type { Thread } from "../platform/platform.ts";
import { Gate } from "./gate.ts";
import { HostVoice, type Speaker } from "./host_voice.ts";
import { type HostCommand, isOfSlot, type WorkerEnv } from "./protocol.ts";
import { isDone } from "./pool_texts.ts";
import { Tray, TRAY_BYTES } from "./tray.ts";
import { WORKER_ENV } from "./worker_texts.ts";

const WORKER = new URL("./worker.ts", import.meta.url);
const LOOK_EVERY_MS = 250;
const LAST_WORD_MS = 10;
const MB = 1024 * 1024;

const here = await platform();
const env: WorkerEnv = JSON.parse(process.env[WORKER_ENV] ?? "{}");
interface Entry extends Speaker {
  thread: Thread;
  closed: () => void;
  /** What it may begin of the jobs it was given, and where it lays their ends; it shares both before it is ready. */
  gate: Gate | undefined;
  /** Jobs that it was given. */
  given: number;
}
const threads = new Map<number, Entry>();

const voice = new HostVoice((batch) => void process.send?.(batch));

function open(slot: number): void {
  const entry = { slot, closed: () => {}, given: 0 } as Partial<Entry> as Entry;
  entry.thread = here.spawnThread(WORKER, { memoryMb: env.workerMemoryMb }, {
    message(said) {
      if (typeof said === "string") heard(entry, said);
      else if ((said as unknown) instanceof SharedArrayBuffer) share(entry, said);
      // A task can post what it likes; all else is the bell of its tray, or does no harm as such.
      else voice.rang(entry);
    },
    ended(reason) {
      if (threads.get(slot) !== entry) return;
      threads.delete(slot);
      // Bun can report an error and let the thread live on.
      void entry.thread.terminate();
      // What it has ended is not run again, and not charged with its end.
      voice.reportOf(entry, ["ended", slot, reason]);
    },
  });
  threads.set(slot, entry);
}

function heard(entry: Entry, said: string): void {
  entry.tray?.received();
  if (said === '{"t":"closed"}') return entry.closed();
  const goesOn = isDone(said) && entry.gate?.hasMore(entry.given);
  voice.report(["said", entry.slot, said], goesOn ? "soon" : "now");
}

/** The first that comes of the right size is the worker's: it shares it before it loads anything of others. */
function share(entry: Entry, memory: SharedArrayBuffer): void {
  if (entry.tray || memory.byteLength !== TRAY_BYTES) return;
  entry.gate = new Gate(memory);
  entry.tray = new Tray(memory);
}

async function kill(slot: number, patience: number): Promise<void> {
  const entry = threads.get(slot);
  if (!entry) return voice.report(["killed", slot, true]);
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
  voice.reportOf(entry, ["killed", slot, answered || stopped]);
}

process.on("message", (batch: HostCommand[]) => {
  for (const command of batch) {
    try {
      obey(command);
    } catch (error) {
      if (isOfSlot(command)) voice.report(["ended", command[1], errorRecord(error)]);
    }
  }
});

function obey(command: HostCommand): void {
  const entry = isOfSlot(command) ? threads.get(command[1]) : undefined;
  switch (command[0]) {
    case "run":
      if (!entry) return;
      entry.given += command[3];
      return entry.thread.post(command[2]);
    case "post":
      return entry?.thread.post(command[2]);
    case "recall":
      if (!entry) return voice.report(["recalled", command[1], 0]);
      return voice.reportOf(entry, ["recalled", command[1], entry.gate?.takeBack(entry.given) ?? 0]);
    case "open":
      return open(command[1]);
    case "kill":
      return void kill(command[1], command[2]);
    case "ping":
      return voice.report(["rss", lastRss]);
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
    voice.report(["rss", rss]);
  }
  // The report above tells the dispatcher why.
  if (full) setTimeout(end, LAST_WORD_MS);
}
// At once too: the first report is how the dispatcher knows that this process is up.
look();
setInterval(look, LOOK_EVERY_MS);
await keepCompiled();
