// @runtimes deno
/** Random jobs over three nodes with random ends: no rule is ever broken, and nothing gets stuck. */
import fc from "fast-check";
import process from "node:process";
import { test } from "../../harness.ts";
import { script, Simulation } from "./simulation.ts";

/** RUNS=20000 for a longer proof. */
const RUNS = Number(process.env.RUNS ?? 400);

test("random job graphs never break a rule, keep their order in a group and come to an end", () => {
  fc.assert(fc.property(script, (script) => new Simulation(script).run()), { numRuns: RUNS });
});
