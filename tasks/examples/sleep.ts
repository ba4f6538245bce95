/** Waits for a number of seconds, or until it is aborted. Returns the seconds it was asked to wait. */
import { task } from "edge-dispatcher";

export default task({ bind: true }, (context, seconds: number): Promise<number> => {
  return new Promise((resolve, reject) => {
    context.signal.addEventListener("abort", () => {
      clearTimeout(timer);
      reject(context.signal.reason);
    });
    const timer = setTimeout(() => resolve(seconds), seconds * 1000);
  });
});
