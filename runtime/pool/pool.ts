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
 * | a host dies before it has run anything | the next start waits, longer each time |
 * | a host does not answer a kill, or gives no sign of life | it is killed |
 *
 * @module
 */
import type { Clock } from "../clock.ts";
import { type ErrorRecord, errorRecord } from "../errors.ts";
import type { Platform } from "../platform/platform.ts";
import type { Claimed, Token } from "../store/store.ts";
import { Endings } from "./endings.ts";
import { Feeder } from "./feeder.ts";
import { Fleet } from "./fleet.ts";
import type { HostProcess } from "./host_process.ts";
import { Intake } from "./intake.ts";
import type { PoolOptions } from "./options.ts";
import {
  type AbortReason,
  type AskWhat,
  type Done,
  type HostReport,
  KILL_MS,
  type LogLevel,
  type Report,
} from "./protocol.ts";
import { oncePerTurn } from "../turn.ts";
import { claimAhead, FEW_SLOTS } from "./scaling.ts";
import { Sizer } from "./sizer.ts";
import { abortError, type Finished, isLeaving, type Slot } from "./slot.ts";
import { isSpent, isSurplus, supervise } from "./supervisor.ts";
import { readReport, splitReports } from "./pool_texts.ts";

/** What a pool tells its owner. */
export interface PoolEvents {
  finished(end: Finished): void;
  progress(claimed: Claimed, text: string): void;
  /** There may be room for more. */
  room(): void;
  /** A host process has ended. */
  gone?(pid: number): void;
  /** Something that a person may want to know. */
  notice(level: "info" | "warning" | "error", text: string, fields?: Record<string, unknown>): void;
  output(line: string): void;
  /** A bound task asks for something of its node. */
  ask(claimed: Claimed, what: AskWhat, payload: unknown): Promise<unknown>;
  /** A task, or (null) a hook, has something to say, or has printed it. */
  said(claimed: Claimed | null, how: { level: LogLevel; printed?: boolean }, text: string): void;
}

/** How often the supervisor looks, in milliseconds. */
const TICK_MS = { ahead: 25, busy: 100, idle: 1_000 };
/** What a worker that is not stuck has for its hook and its end, less than its host has to answer. */
const PEACE_MS = 1_000;
const POLL_MS = 10;
const PLENTY = { envelopes: 250, ms: 20 };
const ANSWER_SECONDS = 3;
const SHUTDOWN = abortError("ShutdownError", null);

/** The pool. Everything runs on one event loop. */
export class Pool {
  readonly options: PoolOptions;
  readonly intake: Intake = new Intake();
  readonly fleet: Fleet;
  readonly endings: Endings;
  readonly feeder: Feeder;
  readonly clock: Clock;
  readonly #events: PoolEvents;
  readonly totals: { retired: number; crashed: number } = { retired: 0, crashed: 0 };
  #closing = false;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #tickAt = Infinity;
  readonly #sizer: Sizer;
  /** Once for all that a host says in one message. */
  readonly #freed = oncePerTurn(() => {
    this.#feed();
    this.#events.room();
  });

  constructor(platform: Platform, clock: Clock, options: PoolOptions, events: PoolEvents) {
    this.options = options;
    this.clock = clock;
    this.#events = events;
    this.endings = new Endings(clock, events);
    this.fleet = new Fleet(platform, clock, options, {
      report: (slot, report) => this.#report(slot, report),
      died: (host, how, slots) => this.#died(host, how, slots),
      output: events.output,
    });
    const { slotsPerHost: soloHosts = FEW_SLOTS, maxTasks } = options;
    const { fleet, intake, endings } = this;
    const abort = (slot: Slot, reason: AbortReason) => this.abortSlot(slot, reason);
    this.#sizer = new Sizer(this);
    this.feeder = new Feeder({ clock, fleet, intake, endings, soloHosts, maxTasks, abort });
  }

  /** Start the minimum of slots; resolves when all of them are ready or the signal aborts. */
  async start(signal?: AbortSignal): Promise<void> {
    this.#tick();
    const ready = () => this.fleet.counted().filter((slot) => slot.state === "ready").length;
    while (!signal?.aborted && ready() < this.options.minSlots) await this.clock.sleep(POLL_MS, signal);
  }

  /** Attempts that run. */
  get busy(): number {
    return this.fleet.running().length;
  }

  /** Whether a slot has nothing to do, and others have nothing ahead that it may come to take over. */
  get idle(): boolean {
    return this.intake.length === 0 && this.fleet.hasFree() && this.feeder.aheadCount === 0;
  }

  /** Whether the slots have work for a while. */
  get hasPlenty(): boolean {
    const { length } = this.intake;
    const ms = length * (this.endings.meanMs ?? 0) / Math.max(1, this.fleet.slots.size);
    return length >= PLENTY.envelopes || ms >= PLENTY.ms;
  }

  /** What is here, in a slot or before one. */
  holds(): Token[] {
    const running = this.fleet.running().map((slot) => slot.running!.claimed);
    return [...running, ...this.waiting()];
  }

  /** What has not begun: before the slots, or ahead in one. */
  waiting(): Claimed[] {
    return [...this.feeder.ahead(), ...this.intake.all()];
  }

  /** Begin nothing of what waits, or go on. */
  hold(on: boolean): void {
    if (this.intake.isHeld === on) return;
    this.intake.isHeld = on;
    if (!on) this.#feed();
  }

  /** Envelopes that it can take now. */
  room(): number {
    if (this.#closing) return 0;
    const now = this.clock.monotonic();
    let [free, counted, late] = [0, 0, 0];
    for (const slot of this.fleet.slots.values()) {
      if (!slot.counts) continue;
      counted++;
      if (slot.running === null) free++;
      else if (slot.isLate(now)) late++;
    }
    const { meanMs } = this.endings;
    const ahead = claimAhead(counted, this.options.maxSlots, meanMs, this.feeder.meanBytes, counted - late);
    return Math.max(0, free + ahead - this.intake.length - this.feeder.aheadCount);
  }

  /** Take claimed envelopes; each ends in exactly one `finished`. */
  submit(batch: Claimed[]): void {
    const now = this.clock.monotonic();
    for (const claimed of batch) this.intake.put(claimed, now);
    this.#feed();
  }

  #feed(): void {
    this.feeder.feed();
    if (this.intake.length > 0 || this.busy > 0) this.#hurry();
  }

  // ---- ending attempts

  /** Ask for the end of an attempt; false when it is not here. */
  abort(uuid: string, reason: AbortReason): boolean {
    const waiting = this.intake.remove(uuid);
    if (waiting) this.endings.unstarted(waiting, reason);
    if (waiting || this.feeder.abort(uuid, reason)) return true;
    const slot = this.fleet.running().find((slot) => slot.running!.claimed.uuid === uuid);
    if (slot) this.abortSlot(slot, reason);
    return slot !== undefined;
  }

  /** Abort what runs in a slot, and kill it after the grace. */
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
  giveBack(suspectsToo = false): void {
    for (const claimed of this.intake.empty(suspectsToo)) this.endings.unstarted(claimed, "ShutdownError");
  }

  /** Stop a slot's thread; its place is taken by a new one while the pool is under its size. */
  stop(slot: Slot, state: "stopping" | "retired" | "error"): void {
    if (state === "retired") this.totals.retired++;
    slot.state = state;
    slot.stopSentAt = this.clock.monotonic();
    slot.host.send(["kill", slot.id, PEACE_MS]);
    this.#hurry();
  }

  /** Take no more, wait until nothing runs or the patience ends, then abort what is left and end all hosts. */
  async close(patience: AbortSignal): Promise<void> {
    this.#closing = true;
    this.giveBack(true);
    this.feeder.recallAll("ShutdownError");
    while (this.busy > 0 && !patience.aborted) await this.clock.sleep(POLL_MS, patience);
    for (const slot of this.fleet.running()) this.abortSlot(slot, "ShutdownError");
    await this.#until(() => this.busy === 0, this.options.abortGrace + ANSWER_SECONDS);
    for (const slot of this.fleet.slots.values()) if (slot.state === "ready") this.stop(slot, "stopping");
    // What is still starting has nothing to end in order; it goes with its host.
    const stopping = () => [...this.fleet.slots.values()].some((slot) => slot.state === "stopping");
    await this.#until(() => !stopping(), ANSWER_SECONDS);
    for (const host of this.fleet.hosts) host.kill(SHUTDOWN);
    await this.#until(() => this.fleet.hosts.size === 0, ANSWER_SECONDS);
    clearTimeout(this.#timer);
  }

  async #until(done: () => boolean, seconds: number): Promise<void> {
    const end = this.clock.monotonic() + seconds * 1000;
    while (!done() && this.clock.monotonic() < end) await this.clock.sleep(POLL_MS);
  }

  // ---- what hosts and workers report

  #report(slot: Slot, report: Exclude<HostReport, ["rss", number]>): void {
    if (report[0] === "said") { for (const message of splitReports(report[2])) this.#said(slot, message); }
    else if (report[0] === "ended") this.#ended(slot, report[2]);
    else if (report[0] === "killed") this.#killed(slot, report[2]);
    else {
      this.feeder.recalled(slot, report[2]);
      this.#freed();
    }
  }

  #said(slot: Slot, message: string): void {
    const read = readReport(message);
    if (!read) return;
    const { report, text } = read;
    switch (report.t) {
      case "ready":
        return this.#ready(slot, report.heap);
      case "timeout":
        return slot.hasTimeout(report.uuid, report.seconds);
      case "preemptible":
        return void this.endings.preemptible.add(report.task);
      case "policy":
        return this.endings.learn(report.task, report.policy);
      case "progress":
        if (slot.keepProgress(report.uuid, text)) this.#events.progress(slot.running!.claimed, text);
        return;
      case "done":
        this.fleet.worked();
        return this.#done(slot, report, text);
      case "ask":
        return void this.#answer(slot, report, text);
      case "broken":
        // Its thread lives on, without a purpose.
        slot.host.send(["kill", slot.id, KILL_MS]);
        return this.#ended(slot, JSON.parse(text));
      case "log":
        return this.#events.said(slot.running?.claimed ?? null, report, String(JSON.parse(text)));
      case "exit":
        this.endings.broken(slot, "failed", {
          name: "WorkerExit",
          message: `The task called ${report.what}`,
        });
        this.feeder.abandon(slot);
        this.stop(slot, "error");
    }
  }

  #done(slot: Slot, report: Done, text: string): void {
    if (!this.endings.done(slot, report, text)) return;
    this.feeder.next(slot);
    if (slot.state === "ready" && (isSpent(this, slot, slot.idleSince) || isSurplus(this))) {
      if (slot.running) this.feeder.recall(slot);
      else this.stop(slot, "retired");
    }
    this.#freed();
  }

  async #answer(slot: Slot, { id, uuid, what }: Extract<Report, { t: "ask" }>, text: string): Promise<void> {
    const running = slot.running;
    if (running?.claimed.uuid !== uuid) return;
    const answer = await this.#events.ask(running.claimed, what, JSON.parse(text)).then(
      (value) => ({ ok: true, value }),
      (error) => ({ ok: false, value: errorRecord(error) }),
    );
    if (slot.host.alive) slot.host.send(["post", slot.id, JSON.stringify({ t: "answer", id, ...answer })]);
  }

  #ready(slot: Slot, heap: number): void {
    slot.heap = heap;
    slot.idleSince = this.clock.monotonic();
    if (slot.state === "starting") slot.state = "ready";
    this.#freed();
  }

  /** A thread ended by itself: whatever it was doing is to blame. */
  #ended(slot: Slot, reason: ErrorRecord): void {
    if (slot.state === "starting") this.#startFailed(reason.message);
    this.endings.broken(slot, "failed", reason);
    this.#gone(slot, "error");
  }

  #killed(slot: Slot, gone: boolean): void {
    if (gone) {
      this.endings.broken(slot, "released", SHUTDOWN);
      return this.#gone(slot, isLeaving(slot) ? "exited" : "error");
    }
    const { pid } = slot.host;
    this.#events.notice("warning", `Worker ${slot.worker} does not stop: host ${pid} is replaced`, {
      host: pid,
    });
    slot.host.leaky = true;
    // The thread may run on until its host ends: a next attempt must not begin before that.
    this.endings.broken(slot, "released", SHUTDOWN, { notBefore: this.options.leakyWait, lingers: pid });
    this.feeder.abandon(slot);
    slot.state = "error";
    slot.stopSentAt = this.clock.monotonic();
    this.#hurry();
  }

  #gone(slot: Slot, state: "exited" | "error"): void {
    this.feeder.abandon(slot);
    this.fleet.remove(slot, state);
    this.#hurry();
    this.#freed();
  }

  #died(host: HostProcess, how: string, slots: Slot[]): void {
    const message = `Worker host ${host.pid} ${how}`;
    const running = slots.filter((slot) => slot.running);
    const crashed = !host.condemned && !this.#closing;
    if (crashed) {
      this.totals.crashed++;
      const uuids = running.map((slot) => slot.running!.claimed.uuid);
      this.#events.notice("error", message, { host: host.pid, running: uuids });
      // Ready is not enough: one that dies of its memory limit gets that far each time.
      if (slots.every((slot) => slot.sent === 0)) this.#startFailed(how);
    }
    for (const slot of running) {
      const error = host.condemned ?? { name: "HostDied", message };
      // One alone is guilty; of several nobody knows which, until each has run alone.
      if (crashed && running.length === 1 && slot.ahead.length === 0) {
        this.endings.broken(slot, "failed", error);
      } else this.endings.broken(slot, "released", error, { solo: crashed });
      // The host may have begun one or another of them: its last reports are lost.
      for (const claimed of this.feeder.lose(slot)) this.endings.unsure(claimed, slot.worker, error, crashed);
    }
    this.#events.gone?.(host.pid);
    this.#hurry();
    this.#freed();
  }

  #startFailed(why: string): void {
    const wait = this.fleet.startFailed();
    if (wait === undefined) return;
    this.#events.notice("error", `Worker does not start: ${why}; next try in ${wait} ms`);
  }

  // ---- the supervisor's clock

  /** Look again soon. */
  #hurry(): void {
    const ms = TICK_MS[this.#pace];
    if (this.#tickAt - this.clock.monotonic() > ms) this.#arm(ms);
  }

  get #pace(): "ahead" | "busy" {
    return this.feeder.aheadCount > 0 ? "ahead" : "busy";
  }

  #arm(ms: number): void {
    clearTimeout(this.#timer);
    this.#tickAt = this.clock.monotonic() + ms;
    this.#timer = setTimeout(() => this.#tick(), ms);
  }

  #tick(): void {
    supervise(this);
    if (!this.#closing) this.#sizer.look();
    this.#feed();
    const settled = this.intake.length === 0 && this.busy === 0 &&
      [...this.fleet.slots.values()].every((slot) => slot.state === "ready");
    const idle = settled && this.fleet.slots.size >= this.options.minSlots;
    this.#arm(TICK_MS[idle ? "idle" : this.#pace]);
  }
}
