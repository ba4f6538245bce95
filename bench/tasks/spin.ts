/** Uses up CPU time. */
import { task } from "edge-dispatcher";
import { spin } from "../works.ts";

export default task((steps: number): number => spin(steps));
