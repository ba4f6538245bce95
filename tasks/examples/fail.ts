/** Fails with the given message, with a cause, to see how errors are kept. */
import { task } from "edge-dispatcher";

export default task((message?: string): never => {
  throw new RangeError(message ?? "This task always fails", {
    cause: new TypeError("because it was asked to"),
  });
});
