/**
 * How many forks of Ansible a node can run, as AWX reckons.
 *
 * @module
 */
import type { Machine } from "./machine.ts";

const FORKS_A_CORE = 4;
const MB_A_FORK = 100;
/** MB that are not for jobs. */
const MB_KEPT = 2_048;

/** Forks that its cores bear. */
export function cpuCapacity({ cpu }: Machine): number {
  return Math.max(1, Math.floor(cpu * FORKS_A_CORE));
}

/** Forks that its memory bears. */
export function memCapacity({ memoryMb }: Machine): number {
  return Math.max(1, Math.floor((memoryMb - MB_KEPT) / MB_A_FORK));
}
