/**
 * One look at every slot of a pool: what overruns is aborted, then killed; what is old, used up or unused is
 * stopped; what does not answer loses its host. Called ten times a second while there is work.
 *
 * @module
 */
import type { Pool } from "./pool.ts";
import type { Slot } from "./slot.ts";

/** A host that has not answered a kill for this long is killed itself. */
const ANSWER_MS = 1_500;
/** Claimed work that no slot took for this long goes back to the queue, for another node. */
const GIVE_BACK_MS = 3_000;
const MB = 1024 * 1024;

/** Look at everything once. */
export function supervise(pool: Pool): void {
  const now = pool.clock.monotonic();
  for (const slot of [...pool.slots.values()]) {
    if (slot.running) watchAttempt(pool, slot, now);
    else if (slot.stopSentAt !== null) watchStop(pool, slot, now);
    else if (slot.state === "ready") watchIdle(pool, slot, now);
  }
  for (const host of pool.hosts) {
    if (host.leaky) watchLeaky(pool, host, now);
  }
  giveBack(pool, now);
}

function watchAttempt(pool: Pool, slot: Slot, now: number): void {
  const running = slot.running!;
  if (running.aborted === null && running.deadline !== null && now >= running.deadline) {
    pool.abortSlot(slot, "TimeoutError");
  }
  if (running.killSentAt !== null) {
    // Its host does not answer: nothing in it can be trusted to end.
    if (now - running.killSentAt > ANSWER_MS) {
      slot.host.kill({ name: "HostStuck", message: `Worker host ${slot.host.pid} did not answer` });
    }
  } else if (running.killAt !== null && now >= running.killAt) {
    running.killSentAt = now;
    slot.host.send(["kill", slot.id]);
  }
}

function watchStop(_pool: Pool, slot: Slot, now: number): void {
  if (!slot.host.leaky && now - slot.stopSentAt! > ANSWER_MS) {
    slot.host.kill({ name: "HostStuck", message: `Worker host ${slot.host.pid} did not answer` });
  }
}

function watchIdle(pool: Pool, slot: Slot, now: number): void {
  const { options } = pool;
  const spent = now - slot.bornAt > options.maxAge * 1000 ||
    (options.maxTasks > 0 && slot.finished >= options.maxTasks) ||
    slot.heap > options.maxHeapMb * MB;
  if (spent) {
    pool.totals.retired++;
    pool.stop(slot, "retired");
    return;
  }
  const spare = slot.host.solo ? pool.suspects.length === 0 : pool.counted().length > options.minSlots;
  if (spare && now - slot.idleSince > options.scaledownWait * 1000) pool.stop(slot, "stopping");
}

function watchLeaky(pool: Pool, host: Pool["hosts"] extends Set<infer H> ? H : never, now: number): void {
  const siblings = [...pool.slots.values()].filter((slot) => slot.host === host);
  const stuckSince = Math.min(...siblings.flatMap((slot) => slot.stopSentAt ?? []), now);
  const busy = siblings.some((slot) => slot.running);
  if (!busy || now - stuckSince > pool.options.leakyWait * 1000) {
    host.kill({ name: "HostLeaky", message: `Worker host ${host.pid} had a thread that did not stop` });
  }
}

function giveBack(pool: Pool, now: number): void {
  const starting = pool.counted().some((slot) => slot.state !== "ready");
  if (!starting && pool.waiting.length > 0 && now - pool.waiting[0].at > GIVE_BACK_MS) pool.giveBack();
}
