/** Returns how long ago it was published, in milliseconds. */
import { task } from "edge-dispatcher";
import { now } from "../works.ts";

export default task((published: number): number => now() - published);
