/**
 * Ctrl-C, for commands that go on until somebody has seen enough.
 *
 * @module
 */
import process from "node:process";

/** A signal that aborts at SIGINT or SIGTERM; `off` lets go of both. */
export function untilInterrupted(): { signal: AbortSignal; off(): void } {
  const controller = new AbortController();
  const stop = () => controller.abort();
  process.on("SIGINT", stop);
  process.on("SIGTERM", stop);
  return {
    signal: controller.signal,
    off() {
      process.off("SIGINT", stop);
      process.off("SIGTERM", stop);
    },
  };
}
