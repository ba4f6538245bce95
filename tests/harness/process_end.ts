const actions = new Set<() => void>();
let listening = false;

/** Run the synchronous `action` once when this process ends: normally, by an uncaught error or by a signal. */
export function onProcessEnd(action: () => void): void {
  actions.add(action);
  if (!listening) listen();
}

function listen(): void {
  listening = true;
  process.on("exit", runAll);
  // `deno test` ends a test file without an "exit" event.
  if ("Deno" in globalThis) globalThis.addEventListener("unload", runAll);
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
    // Sent again so that the process still ends by the signal; `once` has taken this listener away.
    process.once(signal, () => {
      runAll();
      process.kill(process.pid, signal);
    });
  }
}

function runAll(): void {
  for (const action of actions) {
    try {
      action();
    } catch (error) {
      console.error("At the end of the process:", error);
    }
  }
  actions.clear();
}
