/**
 * The pool: min..max slots in worker hosts. It takes claimed envelopes, hands each to a free slot, watches over
 * it, and reports how it ended, exactly once. It never awaits a task.
 *
 * | what can fail | what happens |
 * |---|---|
 * | a task overruns or is cancelled | its signal aborts; after the grace the thread is killed |
 * | the thread does not stop | its host is leaky: no new work, replaced at once, killed when the siblings are done |
 * | a host dies and one attempt ran in it | that attempt is charged |
 * | a host dies and several ran in it | all are released, uncharged, and run alone from then on: the guilty one dies alone |
 * | a host dies before any of its slots is ready | the next start waits, longer each time |
 * | a host does not answer a kill | it is killed |
 *
 * @module
 */
import type { Clock } from "../clock.ts";
import type { ErrorRecord } from "../errors.ts";
import type { Platform } from "../platform/platform.ts";
import type { Claimed } from "../store/store.ts";
import { HostProcess, type HostSettings } from "./host_process.ts";
import { type AbortReason, type HostReport, readReport, type Report, writeRun } from "./protocol.ts";
import { claimAhead, slotsToAdd } from "./scaling.ts";
import { abortError, type Finished, Slot } from "./slot.ts";
import { supervise } from "./supervisor.ts";

/** How a pool is built. Times in seconds. */
export interface PoolOptions extends HostSettings {
  minSlots: number;
  maxSlots: number;
  slotsPerHost: number;
  /** From the abort of an attempt to its kill. */
  abortGrace: number;
  /** How long the siblings of a thread that does not stop may go on before their host is killed. */
  leakyWait: number;
  /** Disuse after which a slot above the minimum is given up. */
  scaledownWait: number;
  /** Age, attempts (0: any number) and heap at which an idle slot is replaced. */
  maxAge: number;
  maxTasks: number;
  maxHeapMb: number;
}

/** What a pool tells its owner. */
export interface PoolEvents {
  finished(end: Finished): void;
  progress(claimed: Claimed, text: string): void;
  /** There may be room for more. */
  room(): void;
  /** Something that a person may want to know. */
  notice(level: "info" | "warn" | "error", text: string, fields?: Record<string, unknown>): void;
  output(line: string): void;
}

/** How often the supervisor looks, in milliseconds. */
const TICK_MS = 100;
const IDLE_TICK_MS = 1_000;
const RESTART_MS = { first: 200, most: 10_000 };

/** The pool. Everything runs on one event loop; the fields say who writes them. */
export class Pool {
  readonly options: PoolOptions;
  readonly events: PoolEvents;
  readonly clock: Clock;
  readonly #platform: Platform;
  /** Written by open and remove. */
  readonly slots = new Map<number, Slot>();
  /** Written by host() and died. */
  readonly hosts = new Set<HostProcess>();
  /** Claimed and not yet in a slot, first come first served; `at` is monotonic. Suspects wait apart. */
  readonly waiting: { claimed: Claimed; at: number }[] = [];
  readonly suspects: Claimed[] = [];
  #slotSeq = 0;
  #failedStarts = 0;
  #restartAt = 0;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #closing = false;
  // Durations of what ended: their moving mean, and their sum since the last look.
  #meanMs: number | null = null;
  busyMs = 0;
  lastLook = 0;
  totals = { sent: 0, finished: 0, cancelled: 0, retired: 0, crashed: 0 };

  constructor(platform: Platform, clock: Clock, options: PoolOptions, events: PoolEvents) {
    this.#platform = platform;
    this.clock = clock;
    this.options = options;
    this.events = events;
  }

  /** Start the minimum of slots; resolves when all of them are ready or the signal aborts. */
  async start(signal?: AbortSignal): Promise<void> {
    this.lastLook = this.clock.monotonic();
    this.#tick();
    while (!signal?.aborted && this.counted().filter((s) => s.state === "ready").length < this.options.minSlots) {
      await this.clock.sleep(10, signal);
    }
  }

  counted(): Slot[] {
    return [...this.slots.values()].filter((slot) => slot.counts);
  }

  /** Envelopes that it can take now. */
  room(): number {
    if (this.#closing) return 0;
    let free = 0;
    let counted = 0;
    for (const slot of this.slots.values()) {
      if (!slot.counts) continue;
      counted++;
      if (slot.running === null) free++;
    }
    const ahead = claimAhead(counted, this.options.maxSlots, this.#meanMs);
    return Math.max(0, free + ahead - this.waiting.length - this.suspects.length);
  }

  /** Take claimed envelopes; each ends in exactly one `finished`. */
  submit(batch: Claimed[]): void {
    const at = this.clock.monotonic();
    for (const claimed of batch) {
      if (claimed.solo) this.suspects.push(claimed);
      else this.waiting.push({ claimed, at });
    }
    this.feed();
    if (this.waiting.length > 0 || this.suspects.length > 0) this.#hurry();
  }

  /** Hand what waits to the slots that are free. */
  feed(): void {
    if (this.waiting.length > 0) {
      for (const slot of this.slots.values()) {
        if (this.waiting.length === 0) break;
        if (slot.free && !slot.host.solo) this.#assign(slot, this.waiting.shift()!.claimed);
      }
    }
    this.#feedSuspects();
  }

  #feedSuspects(): void {
    for (const slot of this.slots.values()) {
      if (this.suspects.length === 0) return;
      if (slot.free && slot.host.solo) this.#assign(slot, this.suspects.shift()!);
    }
    const solo = [...this.hosts].filter((host) => host.solo && host.alive && !host.leaky).length;
    const wanted = Math.min(this.suspects.length, this.options.slotsPerHost - solo);
    for (let i = 0; i < wanted && this.clock.monotonic() >= this.#restartAt; i++) this.#open(this.#host(true));
  }

  #assign(slot: Slot, claimed: Claimed): void {
    const since = this.clock.monotonic();
    slot.running = {
      claimed,
      started: this.clock.now(),
      since,
      deadline: claimed.timeout === null ? null : since + claimed.timeout * 1000,
      aborted: null,
      killAt: null,
      killSentAt: null,
      progress: null,
    };
    slot.sent++;
    this.totals.sent++;
    const { uuid, origin, attempt, task, args, kwargs, timeout } = claimed;
    const order = { t: "run", uuid, origin, attempt, task, worker: slot.worker, args, kwargs, timed: timeout !== null };
    slot.host.send(["post", slot.id, writeRun(order)]);
    this.#hurry();
  }

  /** Ask for the end of an attempt; false when it is not here. */
  abort(uuid: string, reason: AbortReason): boolean {
    const at = this.waiting.findIndex((w) => w.claimed.uuid === uuid);
    const claimed = at >= 0 ? this.waiting.splice(at, 1)[0].claimed : takeOut(this.suspects, (c) => c.uuid === uuid);
    if (claimed) {
      this.#unstarted(claimed, reason);
      return true;
    }
    for (const slot of this.slots.values()) {
      if (slot.running?.claimed.uuid === uuid) {
        this.abortSlot(slot, reason);
        return true;
      }
    }
    return false;
  }

  #unstarted(claimed: Claimed, reason: AbortReason): void {
    const cancelled = reason === "CancelledError";
    if (cancelled) this.totals.cancelled++;
    this.events.finished({
      claimed,
      worker: null,
      outcome: cancelled ? "cancelled" : "released",
      text: cancelled ? JSON.stringify(abortError(reason, null)) : null,
      started: null,
      finished: this.clock.now(),
      progress: null,
    });
  }

  /** Called by the supervisor too. */
  abortSlot(slot: Slot, reason: AbortReason): void {
    const running = slot.running;
    if (!running || running.aborted) return;
    running.aborted = reason;
    running.killAt = this.clock.monotonic() + this.options.abortGrace * 1000;
    const order = { t: "abort", uuid: running.claimed.uuid, reason };
    slot.host.send(["post", slot.id, JSON.stringify(order)]);
    this.#hurry();
  }

  /** Give back what no slot has taken, without a trace. */
  giveBack(): void {
    for (const { claimed } of this.waiting.splice(0)) this.#unstarted(claimed, "ShutdownError");
  }

  get busy(): number {
    let n = 0;
    for (const slot of this.slots.values()) if (slot.running) n++;
    return n;
  }

  /** Uuids that are here, in a slot or before one. */
  holds(): string[] {
    const running = [...this.slots.values()].flatMap((s) => s.running ? [s.running.claimed.uuid] : []);
    return [...running, ...this.waiting.map((w) => w.claimed.uuid), ...this.suspects.map((c) => c.uuid)];
  }

  /** Stop taking work, wait until nothing runs or the signal aborts, then abort what is left and end all hosts. */
  async close(patience: AbortSignal): Promise<void> {
    this.#closing = true;
    this.giveBack();
    for (const claimed of this.suspects.splice(0)) this.#unstarted(claimed, "ShutdownError");
    while (this.busy > 0 && !patience.aborted) await this.clock.sleep(20, patience);
    for (const slot of this.slots.values()) this.abortSlot(slot, "ShutdownError");
    const end = this.clock.monotonic() + this.options.abortGrace * 1000 + 3_000;
    while (this.busy > 0 && this.clock.monotonic() < end) await this.clock.sleep(20);
    clearTimeout(this.#timer);
    for (const host of this.hosts) {
      host.kill({ name: "ShutdownError", message: "Interrupted by the shutdown of its node" });
    }
    const gone = this.clock.monotonic() + 2_000;
    while (this.hosts.size > 0 && this.clock.monotonic() < gone) await this.clock.sleep(5);
    clearTimeout(this.#timer);
  }

  // ---- hosts and slots

  #host(solo: boolean): HostProcess {
    if (!solo) {
      for (const host of this.hosts) {
        const slots = [...this.slots.values()].filter((slot) => slot.host === host).length;
        if (host.alive && !host.leaky && !host.solo && slots < this.options.slotsPerHost) return host;
      }
    }
    const host = new HostProcess(this.#platform, this.options, solo, {
      report: (host, report) => this.#report(host, report),
      died: (host, how) => this.#died(host, how),
      output: this.events.output,
    });
    this.hosts.add(host);
    return host;
  }

  #open(host: HostProcess): void {
    const slot = new Slot(++this.#slotSeq, host, this.clock.monotonic());
    this.slots.set(slot.id, slot);
    slot.state = "spawned";
    host.send(["open", slot.id]);
    slot.state = "starting";
  }

  #report(host: HostProcess, report: HostReport): void {
    if (report[0] === "rss") {
      host.rss = report[1];
      return;
    }
    const slot = this.slots.get(report[1]);
    if (!slot) return;
    if (report[0] === "said") this.#said(slot, report[2]);
    else if (report[0] === "ended") this.#ended(slot, report[2]);
    else this.#killed(slot, report[2]);
  }

  #said(slot: Slot, message: string): void {
    const { report, text } = readReport(message);
    const running = slot.running;
    switch (report.t) {
      case "ready":
        slot.heap = report.heap;
        this.#failedStarts = 0;
        if (slot.state === "starting") slot.state = "ready";
        slot.idleSince = this.clock.monotonic();
        this.feed();
        this.events.room();
        break;
      case "timeout":
        if (running?.claimed.uuid === report.uuid) {
          running.deadline = this.clock.monotonic() + report.seconds * 1000;
          running.claimed.timeout = report.seconds;
        }
        break;
      case "progress":
        if (running?.claimed.uuid === report.uuid) {
          running.progress = text;
          this.events.progress(running.claimed, text);
        }
        break;
      case "done":
        this.#done(slot, report, text);
        break;
      case "exit":
        this.#finish(slot, "failed", { name: "WorkerExit", message: `The task called ${report.what}` });
        this.stop(slot, "error");
    }
  }

  #done(slot: Slot, done: Extract<Report, { t: "done" }>, text: string): void {
    const running = slot.running;
    if (running?.claimed.uuid !== done.uuid) return;
    const { claimed, aborted, progress } = running;
    const outcome = done.ok ? "completed" : aborted === null || aborted === "TimeoutError" ? "failed" : aborted === "CancelledError" ? "cancelled" : "released";
    // What it threw when its time was up matters less than that its time was up.
    const error = !done.ok && aborted ? JSON.stringify(abortError(aborted, claimed.timeout)) : text;
    slot.heap = done.heap;
    this.#end(slot, done.started, done.finished);
    this.events.finished({
      claimed,
      worker: slot.worker,
      outcome,
      text: error,
      started: done.started,
      finished: done.finished,
      progress,
      hopeless: done.hopeless,
      maxAttempts: done.maxAttempts,
    });
    this.feed();
    this.events.room();
  }

  /** The books of an attempt that is over. */
  #end(slot: Slot, started: number, finished: number): void {
    const ms = Math.max(0, finished - started);
    this.#meanMs = this.#meanMs === null ? ms : this.#meanMs * 0.9 + ms * 0.1;
    this.busyMs += ms;
    if (slot.running?.aborted === "CancelledError") this.totals.cancelled++;
    slot.running = null;
    slot.finished++;
    this.totals.finished++;
    slot.idleSince = this.clock.monotonic();
  }

  /** End an attempt whose worker cannot speak for itself. */
  #finish(slot: Slot, outcome: Finished["outcome"], error: ErrorRecord, more: Partial<Finished> = {}): void {
    const running = slot.running;
    if (!running) return;
    const finished = this.clock.now();
    this.#end(slot, running.started, finished);
    const { claimed, started, progress } = running;
    const text = JSON.stringify(error);
    this.events.finished({ claimed, worker: slot.worker, outcome, text, started, finished, progress, ...more });
  }

  /** End an attempt that was asked to end and did not do so by itself. */
  #finishAborted(slot: Slot, more: Partial<Finished> = {}): void {
    const running = slot.running;
    if (!running) return;
    const reason = running.aborted ?? "ShutdownError";
    const outcome = reason === "TimeoutError" ? "failed" : reason === "CancelledError" ? "cancelled" : "released";
    this.#finish(slot, outcome, abortError(reason, running.claimed.timeout), more);
  }

  /** A thread ended by itself: whatever it was doing is to blame. */
  #ended(slot: Slot, reason: ErrorRecord): void {
    const working = slot.running !== null;
    if (slot.running?.aborted) this.#finishAborted(slot);
    else this.#finish(slot, "failed", reason);
    if (!working && slot.state === "starting") this.#startFailed(reason.message);
    this.#remove(slot, "error");
  }

  #killed(slot: Slot, gone: boolean): void {
    if (gone) {
      this.#finishAborted(slot);
      this.#remove(slot, slot.state === "stopping" ? "exited" : "error");
      return;
    }
    const pid = slot.host.pid;
    this.events.notice("warn", `Worker ${slot.worker} does not stop: host ${pid} is replaced`, { host: pid });
    slot.host.leaky = true;
    this.#finishAborted(slot, { notBefore: this.options.leakyWait });
    slot.state = "error";
    slot.stopSentAt = this.clock.monotonic();
    this.#hurry();
  }

  /** Stop a slot's thread; its place is taken by a new one while the pool is under its size. */
  stop(slot: Slot, state: "stopping" | "retired" | "error"): void {
    slot.state = state;
    slot.stopSentAt = this.clock.monotonic();
    slot.host.send(["kill", slot.id]);
    this.#hurry();
  }

  #remove(slot: Slot, state: "exited" | "error"): void {
    slot.state = state;
    this.slots.delete(slot.id);
    const { host } = slot;
    if (![...this.slots.values()].some((other) => other.host === host)) host.kill(host.condemned ?? UNUSED);
    this.#hurry();
    this.feed();
    this.events.room();
  }

  #died(host: HostProcess, how: string): void {
    this.hosts.delete(host);
    const slots = [...this.slots.values()].filter((slot) => slot.host === host);
    const running = slots.filter((slot) => slot.running);
    for (const slot of slots) this.slots.delete(slot.id);
    const message = `Worker host ${host.pid} ${how}`;
    const crashed = !host.condemned && !this.#closing;
    if (crashed) {
      this.totals.crashed++;
      this.events.notice("error", message, { host: host.pid, running: running.map((s) => s.running!.claimed.uuid) });
      if (slots.every((slot) => slot.state === "starting")) this.#startFailed(how);
    }
    for (const slot of running) {
      slot.state = "error";
      if (slot.running!.aborted) this.#finishAborted(slot);
      else if (!crashed) this.#finish(slot, "released", host.condemned ?? { name: "HostDied", message });
      else if (running.length === 1) this.#finish(slot, "failed", { name: "HostDied", message });
      else this.#finish(slot, "released", { name: "HostDied", message: `${message} while ${running.length} attempts ran` }, { solo: true });
    }
    this.#hurry();
    this.events.room();
  }

  #startFailed(why: string): void {
    const wait = Math.min(RESTART_MS.most, RESTART_MS.first * 2 ** this.#failedStarts++);
    this.#restartAt = this.clock.monotonic() + wait;
    this.events.notice("error", `Worker does not start: ${why}; next try in ${wait} ms`);
  }

  // ---- the supervisor's clock

  /** Look again soon. */
  #hurry(): void {
    if (this.#tickAt - this.clock.monotonic() > TICK_MS) this.#arm(this.slots.size === 0 ? 0 : TICK_MS);
  }
  #tickAt = Infinity;

  #arm(ms: number): void {
    clearTimeout(this.#timer);
    this.#tickAt = this.clock.monotonic() + ms;
    this.#timer = setTimeout(() => this.#tick(), ms);
  }

  #tick(): void {
    supervise(this);
    this.#resize();
    this.#feedSuspects();
    const idle = this.busy === 0 && this.waiting.length === 0 && this.suspects.length === 0 &&
      this.counted().every((s) => s.state === "ready") && this.counted().length >= this.options.minSlots;
    this.#arm(idle ? IDLE_TICK_MS : TICK_MS);
  }

  #resize(): void {
    const now = this.clock.monotonic();
    const counted = this.counted();
    const elapsed = Math.max(1, now - this.lastLook);
    const load = {
      min: this.options.minSlots,
      max: this.options.maxSlots,
      slots: counted.length,
      starting: counted.filter((s) => s.state !== "ready").length,
      free: counted.filter((s) => s.free).length,
      waiting: this.waiting.length,
      waitedMs: this.waiting.length > 0 ? now - this.waiting[0].at : 0,
      utilization: (this.busyMs + ongoing(counted, now, elapsed)) / (elapsed * Math.max(1, counted.length)),
    };
    this.lastLook = now;
    this.busyMs = 0;
    if (this.#closing || now < this.#restartAt) return;
    const add = slotsToAdd(load);
    for (let i = 0; i < add; i++) this.#open(this.#host(false));
  }
}

const UNUSED: ErrorRecord = { name: "HostUnused", message: "The host had no slots left" };

/** Slot time that attempts which still run have used since the last look. */
function ongoing(slots: Slot[], now: number, elapsed: number): number {
  return slots.reduce((sum, s) => sum + (s.running ? Math.min(elapsed, now - s.running.since) : 0), 0);
}

function takeOut<T>(list: T[], which: (item: T) => boolean): T | undefined {
  const at = list.findIndex(which);
  return at < 0 ? undefined : list.splice(at, 1)[0];
}
