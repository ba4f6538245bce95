/** Returns its arguments as they arrived. */
import { task } from "edge-dispatcher";

export default task((...args: unknown[]): unknown[] => args);
