/** Fills the heap until something stops it. For trying out memory limits. */
import { task } from "edge-dispatcher";

export default task((): never => {
  const hoard: number[][] = [];
  for (;;) hoard.push(new Array(10_000).fill(Math.random()));
});
