/**
 * What has become of a node. Two signs tell: its heartbeat here, which is a task and waits for a free slot, and its lease
 * with the dispatcher, which no task can hold up.
 *
 * | heartbeat | lease | fate | capacity | its jobs |
 * |---|---|---|---|---|
 * | fresh | lives | `up` | its own | go on |
 * | late | lives | `late`: all its slots may be busy | stays | go on |
 * | any | lives, draining | `draining` | 0 | those that run go on, those that wait go elsewhere |
 * | fresh | ended | `silent`: it may come back | 0 | have until the grace is over |
 * | late | ended | `gone` | 0 | are reaped |
 *
 * One that was killed and started anew at once is up; what it ran before is reaped all the same.
 *
 * @module
 */

export type Fate = "up" | "late" | "draining" | "silent" | "gone";

/** A node as the dispatcher knows it. */
export interface Lease {
  name: string;
  state: string;
  alive: boolean;
  /** When this instance of it took the name; by the database's clock, as are all times here. */
  started_at: string;
}

/** Tell it. @param silence Seconds since its last heartbeat here, null when there was none. */
export function fateOf(silence: number | null, lease: Lease | undefined, graceSeconds: number): Fate {
  const late = silence === null || silence > graceSeconds;
  if (lease?.alive) return lease.state === "draining" ? "draining" : late ? "late" : "up";
  return late ? "gone" : "silent";
}
