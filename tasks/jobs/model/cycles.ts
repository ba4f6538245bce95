/**
 * Whether steps lead back to where they began.
 *
 * @module
 */

/**
 * A cycle in a directed graph, as the nodes on it from one back to itself; undefined where there is none. Without
 * recursion: a chain may be as long as there are nodes.
 *
 * @example
 * ```ts
 * findCycle([["a", "b"], ["b", "c"], ["c", "b"]]); // ["b", "c", "b"]
 * ```
 */
export function findCycle<T>(edges: Iterable<readonly [from: T, to: T]>): T[] | undefined {
  const next = new Map<T, T[]>();
  for (const [from, to] of edges) next.set(from, [...next.get(from) ?? [], to]);
  const done = new Set<T>();
  for (const start of next.keys()) {
    const cycle = walk(start, next, done);
    if (cycle) return cycle;
  }
}

function walk<T>(start: T, next: Map<T, T[]>, done: Set<T>): T[] | undefined {
  const path = [start];
  const onPath = new Set(path);
  // How many of each node's followers were looked at, beside the path.
  const seen = [0];
  while (path.length > 0) {
    const node = path.at(-1)!;
    const follower = done.has(node) ? undefined : next.get(node)?.[seen[seen.length - 1]++];
    if (follower === undefined) {
      done.add(node);
      onPath.delete(node);
      path.pop();
      seen.pop();
    } else if (onPath.has(follower)) {
      return [...path.slice(path.indexOf(follower)), follower];
    } else {
      path.push(follower);
      onPath.add(follower);
      seen.push(0);
    }
  }
}

/** A cycle for a message: `"a" → "b" → "a"`. */
export function drawn(cycle: readonly string[]): string {
  return cycle.map((name) => JSON.stringify(name)).join(" → ");
}
