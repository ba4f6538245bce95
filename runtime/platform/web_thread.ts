/**
 * A Web Worker as a {@link Thread}: what Deno and Bun share.
 *
 * @module
 */
import type { Thread, ThreadEvents } from "./platform.ts";

/** An error can come before what was said ahead of it; and not every thread that ends is closed, or closed at once. */
const LAST_WORD_MS = 20;

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
  // Something to do while it is known that the thread ends, and not told yet.
  let telling: ReturnType<typeof setTimeout> | undefined;
  let tell = () => {};
  worker.onmessage = (event: MessageEvent) => events.message(event.data);
  worker.onmessageerror = () => fail("MessageError", "A message could not be read");
  worker.onerror = (event: ErrorEvent) => {
    // Without this, Deno takes the error of a thread for an error of the process.
    event.preventDefault?.();
    const error = event.error as Error | undefined;
    const { name, message, stack } = error instanceof Error
      ? error
      : { ...readUncaught(event.message || "Worker failed"), stack: undefined };
    fail(name, message, stack);
  };
  worker.addEventListener("close", () => {
    closed = true;
    fail("WorkerExit", "Worker ended by itself");
    // All has been heard.
    tell();
  });
  const fail = (name: string, message: string, stack?: string) => {
    if (stopped) return;
    stopped = true;
    tell = () => {
      hush();
      events.ended({ name, message, stack });
    };
    telling = setTimeout(tell, LAST_WORD_MS);
  };
  const hush = () => {
    clearTimeout(telling);
    tell = () => {};
  };
  return {
    post: (message) => worker.postMessage(message),
    terminate() {
      stopped = true;
      hush();
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
