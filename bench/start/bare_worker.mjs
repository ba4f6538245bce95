/** Start a worker; resolves when its module runs. JavaScript, so that no runtime has to strip types from it. */
const empty = new URL("./empty.mjs", import.meta.url);

export async function bareWorker() {
  if ("Deno" in globalThis || "Bun" in globalThis) {
    const worker = new Worker(empty, { type: "module" });
    await new Promise((resolve) => worker.onmessage = resolve);
  } else {
    const { Worker } = await import("node:worker_threads");
    const worker = new Worker(empty);
    await new Promise((resolve) => worker.once("message", resolve));
  }
}
