/** Kills its process with a segmentation fault's signal. For trying out what a crash costs the others. */
import process from "node:process";
import { task } from "edge-dispatcher";

export default task((): never => {
  // More than once: the handler that Rust installs in Deno takes the first one for a stack probe, puts the
  // default action back and waits for the fault to come again.
  for (;;) process.kill(process.pid, "SIGSEGV");
});
