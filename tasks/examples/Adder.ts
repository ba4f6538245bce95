/** The same as a class: `run()` is called on a fresh instance for every envelope. */
import { task } from "edge-dispatcher";

export default task(
  class Adder {
    run(a: number, b: number): number {
      return a + b;
    }
  },
);
