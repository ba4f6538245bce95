/** What a worker does at least to be known: it says so. It lives on by the port that it listens to. */
if ("Deno" in globalThis || "Bun" in globalThis) {
  globalThis.onmessage = () => {};
  postMessage("ready");
} else {
  const { parentPort } = await import("node:worker_threads");
  parentPort.on("message", () => {});
  parentPort.postMessage("ready");
}
