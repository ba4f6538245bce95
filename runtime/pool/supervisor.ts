/**
 * One look at every slot of a pool: what overruns is aborted, then killed; what is old, used up or unused is
 * stopped; what does not answer loses its host. Called ten times a second while there is work.
 *
 * @module
 */
import type { Clock } from "../clock.ts";
import type { Endings } from "./endings.ts";
import type { Feeder } from "./feeder.ts";
import type { Fleet } from "./fleet.ts";
import type { HostProcess } from "./host_process.ts";
import type { Intake } from "./intake.ts";
import { KILL_MS } from "./protocol.ts";
import type { Slot } from "./slot.ts";

/** What the supervisor sees of a pool, and what it can tell it to do. */
export interface Supervised {
  readonly clock: Clock;
  readonly fleet: Fleet;
  readonly intake: Intake;
  readonly feeder: Feeder;
  readonly endings: Pick<Endings, "late">;
  readonly options: {
    minSlots: number;
    maxSlots: number;
    leakyWait: number;
    scaledownWait: number;
    maxAge: number;
    maxTasks: number;
    maxHeapMb: number;
  };
  abortSlot(slot: Slot, reason: "TimeoutError"): void;
  stop(slot: Slot, state: "stopping" | "retired"): void;
  giveBack(): void;
}

/** A host that has not answered a kill for this long is killed itself. */
const ANSWER_MS = 1_500;
/** Claimed work that no slot took for this long goes back to the queue, for another node. */
const GIVE_BACK_MS = 2_000;
const MB = 1024 * 1024;

/** Look at everything once. */
export function supervise(pool: Supervised): void {
  const now = pool.clock.monotonic();
  for (const slot of [...pool.fleet.slots.values()]) {
    if (slot.running) watchAttempt(pool, slot, now);
    else if (slot.stopSentAt !== null) watchAnswer(slot, slot.stopSentAt, now);
    else if (slot.state === "ready") watchIdle(pool, slot, now);
  }
  for (const host of pool.fleet.hosts) {
    if (host.leaky) watchLeaky(pool, host, now);
    watchSilence(pool, host, now);
  }
  const starting = pool.fleet.counted().some((slot) => slot.state !== "ready");
  if (!starting && pool.intake.waited(now) > GIVE_BACK_MS) pool.giveBack();
}

function watchAttempt(pool: Supervised, slot: Slot, now: number): void {
  const running = slot.running!;
  if (slot.isLate(now)) {
    pool.endings.late(running, now);
    pool.feeder.recall(slot);
  }
  if (running.deadline !== null && now >= running.deadline) pool.abortSlot(slot, "TimeoutError");
  if (running.killSentAt !== null) {
    watchAnswer(slot, running.killSentAt, now);
  } else if (running.killAt !== null && now >= running.killAt) {
    running.killSentAt = now;
    slot.host.send(["kill", slot.id, KILL_MS]);
  }
}

/** A host that does not answer cannot be trusted to end anything in it. */
function watchAnswer({ host }: Slot, askedAt: number, now: number): void {
  if (host.leaky || now - askedAt <= ANSWER_MS) return;
  host.kill({ name: "HostStuck", message: `Worker host ${host.pid} did not answer` });
}

/** Whether a worker has served its time: then it gets no further task, and a new one takes its place. */
export function isSpent({ options }: Pick<Supervised, "options">, slot: Slot, now: number): boolean {
  if (options.maxTasks > 0 && slot.finished >= options.maxTasks) return true;
  return slot.heap > options.maxHeapMb * MB || now - slot.bornAt > options.maxAge * 1000;
}

/** Whether there are more slots than there should be, since the pool was made smaller. */
export function isSurplus({ fleet, options }: Pick<Supervised, "options" | "fleet">): boolean {
  return fleet.slots.size > options.maxSlots && fleet.counted().length > options.maxSlots;
}

function watchIdle(pool: Supervised, slot: Slot, now: number): void {
  const { options, fleet, intake } = pool;
  if (isSpent(pool, slot, now)) return pool.stop(slot, "retired");
  if (slot.counts && isSurplus(pool)) return pool.stop(slot, "stopping");
  const spare = slot.host.solo ? intake.suspects === 0 : fleet.counted().length > options.minSlots;
  if (spare && now - slot.idleSince > options.scaledownWait * 1000) pool.stop(slot, "stopping");
}

/** A host that does not come up, or in which something runs, and that gives no sign though it is asked for one. */
function watchSilence({ fleet }: Supervised, host: HostProcess, now: number): void {
  if (host.answered && !fleet.on(host).some((slot) => slot.running)) return host.silence.heard();
  const step = host.silence.look(now);
  if (step !== undefined) host.isSilent(step);
}

function watchLeaky(pool: Supervised, host: HostProcess, now: number): void {
  const slots = pool.fleet.on(host);
  const stuckSince = Math.min(now, ...slots.flatMap((slot) => slot.stopSentAt ?? []));
  const busy = slots.some((slot) => slot.running);
  if (busy && now - stuckSince <= pool.options.leakyWait * 1000) return;
  host.kill({ name: "HostLeaky", message: `Worker host ${host.pid} had a thread that did not stop` });
}
