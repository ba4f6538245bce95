/**
 * What the tasks of all peers do.
 *
 * @module
 */

/** Milliseconds since 1970 with fractions; the same in every process and thread of a machine. */
export function now(): number {
  return performance.timeOrigin + performance.now();
}

/** So many steps of arithmetic: as much work for everybody, however many share a core. */
export function spin(steps: number): number {
  let x = 123_456_789;
  for (let i = 0; i < steps; i++) {
    x ^= x << 13;
    x ^= x >>> 17;
    x ^= x << 5;
  }
  return x;
}

/** Steps that take a millisecond on a core of this machine. */
export function stepsPerMs(): number {
  const steps = 10_000_000;
  let best = Infinity;
  for (let i = 0; i < 10; i++) {
    const began = performance.now();
    spin(steps);
    best = Math.min(best, performance.now() - began);
  }
  return Math.round(steps / best);
}

const taken: number[] = [];

/** What `stamp` has taken here, in the order of the starts. */
export function stamps(): number[] {
  return taken;
}

/** Tasks by name, as they run in a process of a peer; ours are the files of `tasks/`. */
export const WORKS: Record<string, (...args: never[]) => unknown> = {
  noop: () => {},
  spin,
  stamp: (published: number) => {
    taken.push(now() - published);
  },
};
