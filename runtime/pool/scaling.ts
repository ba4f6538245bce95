/**
 * How many slots a pool should have. Pure: the pool says what it sees, this says what to do.
 *
 * @module
 */

/** What the pool sees at one look. */
export interface Load {
  min: number;
  max: number;
  /** Slots that count, those that are starting included. */
  slots: number;
  starting: number;
  free: number;
  /** Claimed envelopes that no slot has taken yet. */
  waiting: number;
  /** Milliseconds that the oldest of them has waited. */
  waitedMs: number;
  /** Part of the slots' time that tasks used since the last look, 0 to 1. */
  utilization: number;
}

/** Claimed work that waits longer than this wants more slots, however short the tasks are. */
const PATIENCE_MS = 100;
/** Above this the slots are busy with tasks and not with being handed them. */
const BUSY = 0.8;

/**
 * Slots to add now. Work must wait and every slot be busy; then the pool doubles, so that 4 become 60 in four
 * steps and a burst of tiny tasks, which more threads would only slow down, adds none.
 */
export function slotsToAdd(load: Load): number {
  if (load.slots < load.min) return load.min - load.slots;
  if (load.slots >= load.max || load.waiting === 0 || load.free > 0 || load.starting > 0) return 0;
  if (load.waitedMs < PATIENCE_MS && load.utilization < BUSY) return 0;
  return Math.min(load.max - load.slots, load.waiting, Math.max(1, load.slots));
}

/** Slots of the first host, and of any where so many are told. */
export const FEW_SLOTS = 4;

/**
 * Room of a new host: twice as many slots as there are already, so that a small pool is spread over small hosts and a
 * large one does not pay for many: 4, 8, 24, 24 are 60 on Node. At most two thirds of a pool share a host.
 *
 * @param most What the runtime can bear, see `threadsAtMost`.
 */
export function roomOfHost(slots: number, most: number): number {
  return Math.max(FEW_SLOTS, Math.min(2 * slots, most));
}

/** Beyond what its workers may use, in MB. */
const HOST_OWN_MB = 256;

/**
 * MB of resident memory at which a host ends itself: what its workers may use together, but no more than half of the
 * machine's where there are more than a few. Without that one that explodes would take the machine first.
 */
export function hostMemory(room: number, workerMb: number, machineMb: number): number {
  const few = Math.min(room, FEW_SLOTS) * workerMb;
  return Math.floor(Math.max(few, Math.min(room * workerMb, machineMb / 2))) + HOST_OWN_MB;
}

/** How much work a slot gets ahead, in milliseconds and in tasks. */
const SLOT_AHEAD_MS = 3;
const SLOT_AHEAD_MAX = 64;
const SLOT_AHEAD_BYTES = 2 ** 20;

/**
 * Attempts that a slot gets besides the one that runs: none where tasks are long, since another slot may be free.
 *
 * @param meanBytes Mean size of recent arguments.
 */
export function aheadOfSlot(meanMs: number | null, meanBytes = 0): number {
  if (meanMs === null || meanMs >= SLOT_AHEAD_MS) return 0;
  const inTime = Math.ceil(SLOT_AHEAD_MS / Math.max(meanMs, 0.01));
  return Math.min(SLOT_AHEAD_MAX, inTime, Math.floor(SLOT_AHEAD_BYTES / Math.max(meanBytes, 1)));
}

/** What one slot gets in a burst of tiny tasks, while others have nothing. */
const BURST_MS = 1;
const BURST_MAX = 4 * SLOT_AHEAD_MAX;
const BURST_BYTES = 2 ** 18;

/**
 * Attempts of tiny tasks that one slot gets before the next one gets any: about a millisecond's worth, so that nobody
 * waits for long beside a slot that is free. To wake a thread costs more than they do, and each thread that takes part
 * compiles and optimizes the same code once more.
 *
 * @param usual What a slot gets ahead, and at least here.
 */
export function burstOfSlot(usual: number, meanMs: number | null, meanBytes = 0): number {
  const inTime = Math.floor(BURST_MS / Math.max(meanMs ?? Infinity, 0.001));
  return Math.max(usual, Math.min(BURST_MAX, inTime, Math.floor(BURST_BYTES / Math.max(meanBytes, 1))));
}

/** How far ahead a slot's tasks are claimed, so that none idles for a round trip to the database. */
const AHEAD_MS = 50;
const AHEAD_MAX = 3_000;
const AHEAD_BYTES = 2 ** 25;

/**
 * Envelopes to hold beyond the free slots. Short tasks are claimed ahead; long ones are not, since another node
 * may be idle, but for as many as new slots would take.
 *
 * @param meanMs Mean duration of recent attempts, null when none has ended yet.
 * @param meanBytes Mean size of recent arguments: they are held in memory.
 * @param quick Slots behind whose tasks something may wait. Where all run something long, the mean tells of the past.
 */
export function claimAhead(
  slots: number,
  max: number,
  meanMs: number | null,
  meanBytes = 0,
  quick: number = slots,
): number {
  if (slots === 0) return 0;
  if (quick > 0 && meanMs !== null && meanMs < AHEAD_MS) {
    const inTime = Math.ceil(quick * AHEAD_MS / Math.max(meanMs, 0.05));
    return Math.min(AHEAD_MAX, inTime, Math.floor(AHEAD_BYTES / Math.max(meanBytes, 1)));
  }
  return Math.min(slots, Math.max(0, max - slots));
}
