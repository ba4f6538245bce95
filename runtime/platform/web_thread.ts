/**
 * A Web Worker as a {@link Thread}: what Deno and Bun share.
 *
 * @module
 */
import type { Thread, ThreadEvents } from "./platform.ts";

/**
 * Start a Web Worker. `gone` tells whether the engine's own word that it stopped can be had and trusted;
 * `preload` names files that Bun loads into it first.
 */
export function webThread(
  module: URL,
  events: ThreadEvents,
  gone: (worker: Worker) => Promise<boolean>,
  preload: string[] = [],
): Thread {
  const worker = new Worker(module, { type: "module", preload } as WorkerOptions);
  let stopped = false;
  let closed = false;
  worker.onmessage = (event: MessageEvent) => events.message(event.data);
  worker.onmessageerror = () => fail("MessageError", "A message could not be read");
  worker.onerror = (event: ErrorEvent) => {
    // Without this, Deno takes the error of a thread for an error of the process.
    event.preventDefault?.();
    const error = event.error as Error | undefined;
    if (error instanceof Error) return fail(error.name, error.message, error.stack);
    const { name, message } = readUncaught(event.message || "Worker failed");
    fail(name, message);
  };
  worker.addEventListener("close", () => {
    closed = true;
    fail("WorkerExit", "Worker ended by itself");
  });
  const fail = (name: string, message: string, stack?: string) => {
    if (stopped) return;
    stopped = true;
    events.ended({ name, message, stack });
  };
  return {
    post: (message) => worker.postMessage(message),
    terminate() {
      stopped = true;
      if (closed) return Promise.resolve(true);
      const known = gone(worker);
      worker.terminate();
      return known;
    },
  };
}

/** Deno writes "Uncaught (in promise) TypeError: it broke"; Bun puts the source before it and the stack behind. */
function readUncaught(text: string): { name: string; message: string } {
  const bare = text.replace(/^Uncaught (\(in promise\) )?/, "");
  const found = /^([A-Z]\w*): ((?:.|\n)*?)\s*(?:\n\s+at |$(?!\n))/m.exec(bare);
  return found ? { name: found[1], message: found[2] } : { name: "Error", message: bare.trim() };
}
