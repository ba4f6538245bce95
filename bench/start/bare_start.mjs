/** The bare start of a process with four bare workers. */
import { bareWorker } from "./bare_worker.mjs";

await Promise.all([bareWorker(), bareWorker(), bareWorker(), bareWorker()]);
console.log("ready");
