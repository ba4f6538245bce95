import { task } from "edge-dispatcher";

export default task((a: number, b: number): number => a + b);
