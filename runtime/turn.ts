/**
 * Doing something once for all that asks for it in one turn of the event loop.
 *
 * @module
 */

/**
 * The returned function may be called any number of times: what is given runs once, as soon as those who call it now
 * are done.
 *
 * @example
 * ```ts
 * import { oncePerTurn } from "./turn.ts";
 * const look = oncePerTurn(() => console.log("once"));
 * look();
 * look(); // prints it once
 * ```
 */
export function oncePerTurn(run: () => void): () => void {
  let asked = false;
  return () => {
    if (asked) return;
    asked = true;
    queueMicrotask(() => {
      asked = false;
      run();
    });
  };
}
