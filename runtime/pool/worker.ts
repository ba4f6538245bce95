/**
 * The inside of a slot: one thread, one envelope at a time. What this file imports is what every slot costs at
 * its start.
 *
 * @module
 */
import { errorLine, errorRecord } from "../errors.ts";
import { keepCompiled } from "../platform/compiled.ts";
import {
  closeThread,
  heapUsed,
  type ThreadPort,
  threadPort,
  trapExits,
  variable,
} from "../platform/thread.ts";
import { Registry } from "../registry.ts";
import { type Executed, Executor } from "./executor.ts";
import { Gate } from "./gate.ts";
import { type Hooks, loadHooks } from "./hooks.ts";
import type { Order, WorkerEnv } from "./protocol.ts";
import { readRun, splitRuns, WORKER_ENV } from "./worker_texts.ts";
import { Tray, TRAY_BYTES } from "./tray.ts";
import { WorkerVoice } from "./worker_voice.ts";
import { Written } from "./written.ts";

/** One worker: takes orders, runs tasks, calls the hooks. */
class Worker {
  readonly #voice: WorkerVoice;
  readonly #hooks: Hooks;
  readonly #executor: Executor;
  readonly #idleMs: number;
  readonly #gate: Gate;
  // What it was given and has not looked at, and the number of the last that it has.
  readonly #given: string[] = [];
  #number = 0;
  // As the dispatcher calls it.
  #name = "";
  #working = false;
  #spent = false;
  // The attempt that runs; what is printed is its.
  #running: string | null = null;
  #written: Written | undefined;
  // Armed while no task runs, if there is a hook for it.
  #idleTimer: ReturnType<typeof setTimeout> | undefined;

  constructor(voice: WorkerVoice, gate: Gate, hooks: Hooks, env: WorkerEnv) {
    this.#voice = voice;
    this.#gate = gate;
    this.#hooks = hooks;
    this.#idleMs = env.idleSeconds * 1000;
    this.#executor = new Executor(new Registry(env), hooks, {
      timeout: (uuid, seconds) => voice.say({ t: "timeout", uuid, seconds }),
      preemptible: (task) => voice.say({ t: "preemptible", task }),
      policy: (task, policy) => voice.say({ t: "policy", task, policy }),
      progress: (uuid, text) => voice.progress(uuid, text),
      ask: (uuid, what, payload) => voice.ask(uuid, what, payload),
      log: (uuid, level, message) => voice.log(uuid, level, message),
    }, env);
    if (env.outputLines === 0) return;
    this.#written = new Written({
      active: () => this.#running !== null,
      print: (level, text, unseen) => voice.log(this.#running, level, text, true, unseen),
    });
    this.#written.capture();
  }

  async start(port: ThreadPort): Promise<void> {
    port.onMessage((text) => {
      const runs = splitRuns(text);
      if (runs) this.#take(runs);
      else this.#obey(JSON.parse(text));
    });
    await this.#hooks.onStart?.();
    this.#voice.say({ t: "ready", heap: heapUsed() });
    this.#idle();
  }

  #take([name, ...orders]: string[]): void {
    this.#name = name;
    this.#given.push(...orders);
    if (!this.#working) void this.#work();
  }

  #obey(order: Order): void {
    if (order.t === "abort") this.#executor.abort(order.uuid, order.reason);
    else if (order.t === "answer") this.#voice.answered(order);
    else void this.#close();
  }

  /** Run what was given, one after the other, but for what was taken back. */
  async #work(): Promise<void> {
    this.#working = true;
    clearTimeout(this.#idleTimer);
    for (let order = this.#given.shift(); order && !this.#spent; order = this.#given.shift()) {
      if (!this.#gate.begin(++this.#number)) continue;
      const job = readRun(order, this.#name);
      this.#running = job.uuid;
      this.#ended(await this.#executor.run(job));
    }
    this.#working = false;
    this.#idle();
  }

  #ended({ done, text }: Executed): void {
    this.#written?.end();
    this.#running = null;
    this.#voice.taskEnded(done.uuid);
    done.heap = heapUsed(done.finished);
    this.#voice.done(done, text, this.#given.length > 0);
  }

  /** This thread must go: nothing more begins, and what was begun to be written is said before that is. */
  spend(): void {
    this.#spent = true;
    this.#written?.end();
  }

  /** Close in peace: the hook first, then the thread. */
  async #close(): Promise<void> {
    this.#written?.end();
    await this.#guarded("onShutdown");
    this.#voice.say({ t: "closed" });
    closeThread();
  }

  #idle(): void {
    if (!this.#hooks.onIdle) return;
    this.#idleTimer = setTimeout(() => void this.#guarded("onIdle").then(() => this.#idle()), this.#idleMs);
  }

  async #guarded(name: "onShutdown" | "onIdle"): Promise<void> {
    try {
      await this.#hooks[name]?.();
    } catch (error) {
      this.#voice.log(null, "error", `Hook ${name} failed: ${errorLine(error)}`);
    }
  }
}

const port = await threadPort();
const env: WorkerEnv = JSON.parse(variable(WORKER_ENV) ?? "{}");
const memory = new SharedArrayBuffer(TRAY_BYTES);
port.share(memory);
const voice = new WorkerVoice(port, new Tray(memory), {
  lines: env.outputLines || undefined,
  characters: env.outputCharacters,
});
let worker: Worker | undefined;
trapExits((what) => {
  worker?.spend();
  voice.say({ t: "exit", what });
});
try {
  worker = new Worker(voice, new Gate(memory), await loadHooks(env.hooks), env);
  await worker.start(port);
  await keepCompiled();
} catch (error) {
  // Said by itself: not every runtime tells the owner of a thread why its module failed.
  voice.say({ t: "broken" }, JSON.stringify(errorRecord(error)));
}
