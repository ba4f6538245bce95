/**
 * The inside of a thread: its port to the host, and the exits that a task must not take. Loaded by every
 * worker, so it is small and imports nothing that costs.
 *
 * @module
 */

/** The thread's end of the line. */
export interface ThreadPort {
  post(message: string): void;
  /** Have the host look at what lies in the memory of both. */
  ring(): void;
  /** Give the host a piece of memory that both can write. */
  share(memory: SharedArrayBuffer): void;
  onMessage(handler: (text: string) => void): void;
}

// deno-lint-ignore no-explicit-any
const scope = globalThis as any;

/** Get the port to the host, whatever the runtime calls it. */
export async function threadPort(): Promise<ThreadPort> {
  if (!("Deno" in scope) && !("Bun" in scope)) {
    const { parentPort } = await import("node:worker_threads");
    if (!parentPort) throw new Error("This module runs inside a worker thread only");
    return {
      post: (message) => parentPort.postMessage(message),
      ring: () => parentPort.postMessage(0),
      share: (memory) => parentPort.postMessage(memory),
      onMessage: (handler) => void parentPort.on("message", handler),
    };
  }
  return {
    post: (message) => scope.postMessage(message),
    ring: () => scope.postMessage(0),
    share: (memory) => scope.postMessage(memory),
    onMessage(handler) {
      scope.onmessage = (event: MessageEvent) => handler(event.data);
    },
  };
}

/** A variable of the environment. */
export function variable(name: string): string | undefined {
  return "Deno" in scope ? scope.Deno.env.get(name) : scope.process.env[name];
}

/**
 * Turn the calls that would end the thread or the whole host into a report. On Deno an exit inside a worker
 * leaves no event at all, and its envelope would wait for ever.
 */
export function trapExits(report: (what: string) => void): void {
  const trap = (what: string) => (code?: number) => {
    report(`${what}(${code ?? ""})`);
    throw new Error(`A task must not call ${what}(): return or throw instead`);
  };
  // On Deno process.exit() ends in the other; to trap it too would load `process`, 6 ms and 4 MB a thread.
  if (scope.Deno) {
    scope.Deno.exit = (code?: number) =>
      trap(/ process\.exit /.test(new Error().stack ?? "") ? "process.exit" : "Deno.exit")(code);
  } else scope.process.exit = exceptOfEngine(trap("process.exit"));
  if (typeof scope.close === "function") scope.close = trap("close");
}

/**
 * Node itself calls process.exit() after it has told the host of an error that nobody caught, by another port: trapped,
 * that would tell of an exit too, sometimes first, and the attempt would be charged with what its task never did.
 */
function exceptOfEngine(trapped: (code?: number) => void): (code?: number) => void {
  if ("Bun" in scope) return trapped;
  const exit = scope.process.exit;
  let uncaught = false;
  // Without a turn of the event loop between the two.
  scope.process.on("uncaughtExceptionMonitor", () => {
    uncaught = true;
    queueMicrotask(() => uncaught = false);
  });
  return (code) => (uncaught ? exit.call(scope.process, code) : trapped(code));
}

/** Let go of the host. Node and Bun end the thread by terminate(); Deno is surest when the thread closes itself. */
const closeSelf: (() => void) | undefined = typeof scope.close === "function"
  ? scope.close.bind(scope)
  : undefined;
export function closeThread(): void {
  closeSelf?.();
}

/** Looking costs 10 to 55 µs, more than all else that is done for a small task. */
const LOOK_EVERY_MS = 20;
let seen = { bytes: 0, at: -Infinity };

/** Bytes of heap in use by this thread, as far as the runtime tells; up to 20 ms old. `at`: what time it is. */
export function heapUsed(at: number = Date.now()): number {
  // A clock may be set back.
  if (Math.abs(at - seen.at) >= LOOK_EVERY_MS) {
    seen = { bytes: look(), at };
  }
  return seen.bytes;
}

/**
 * Node's memoryUsage() asks the system besides: up to 180 µs in a host that is busy, and the other way takes 1. To load
 * that takes 400, so it is left to the first task: no start waits for it.
 */
let statistics: (() => { used_heap_size: number }) | undefined;
function look(): number {
  if ("Deno" in scope) return scope.Deno.memoryUsage().heapUsed;
  const { process } = scope;
  if ("Bun" in scope || seen.at < 0) return process.memoryUsage().heapUsed;
  statistics ??= process.getBuiltinModule("node:v8").getHeapStatistics;
  return statistics!().used_heap_size;
}
