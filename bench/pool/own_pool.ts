/**
 * Our pool without a database, as a node builds it: its hosts are processes, and aborts, timeouts and errors work.
 *
 * @module
 */
import { fileURLToPath } from "node:url";
import { systemClock } from "../../runtime/clock.ts";
import { platform } from "../../runtime/platform/detect.ts";
import { Pool } from "../../runtime/pool/pool.ts";
import type { Finished } from "../../runtime/pool/slot.ts";

/** What its owner hears. */
export interface Ears {
  finished(end: Finished): void;
  room(): void;
}

/** Build a pool with the settings that a node has by default; it starts no slot by itself unless `min` says so. */
export async function ownPool(min: number, max: number, ears: Ears): Promise<Pool> {
  return new Pool(await platform(), systemClock, {
    root: fileURLToPath(new URL("../tasks/", import.meta.url)),
    prefixes: [],
    allow: [],
    idleSeconds: 60,
    workerMemoryMb: 512,
    environment: {},
    minSlots: min,
    maxSlots: max,
    abortGrace: 5,
    leakyWait: 30,
    scaledownWait: 60,
    removalWait: 30,
    maxAge: 14_400,
    maxTasks: 0,
    maxHeapMb: 400,
  }, {
    finished: (end) => ears.finished(end),
    progress: () => {},
    room: () => ears.room(),
    notice: (level, text) => console.error(`pool: ${level}: ${text}`),
    output: (line) => console.error(line),
    ask: () => Promise.reject(new Error("Nobody answers here")),
    said: () => {},
  });
}
