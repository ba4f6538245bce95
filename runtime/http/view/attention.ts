/**
 * What needs somebody's attention, from one look at the cluster: the worst first.
 *
 * @module
 */
import type { NodeLook, Snapshot } from "../sampler.ts";
import { age, count, plural, secondsBetween } from "./format.ts";
import { quoted } from "./search.ts";

/** Something to look after. */
export interface Finding {
  tone: "bad" | "warn";
  text: string;
  /** Where to look, without the base. */
  href: string;
}

/** Seconds that work may wait before somebody should look. */
const LONG_WAIT = 60;
/** Seconds for which a node that is gone is talked about. */
const GONE_SECONDS = 600;

/** Look for what is wrong. */
export function attention(snapshot: Snapshot): Finding[] {
  const found = [...nodeFindings(snapshot), ...queueFindings(snapshot), ...deadFindings(snapshot)];
  return [...found.filter(({ tone }) => tone === "bad"), ...found.filter(({ tone }) => tone === "warn")];
}

function nodeFindings({ nodes, now }: Snapshot): Finding[] {
  const found: Finding[] = [];
  const say = (tone: Finding["tone"], text: string) => found.push({ tone, text, href: "/nodes" });
  if (!nodes.some(({ alive }) => alive)) say("bad", "No node is alive: nothing is run");
  for (const node of nodes) {
    const seen = secondsBetween(node.last_seen, now);
    if (node.state === "lost" && seen < GONE_SECONDS) {
      say("bad", `Node "${node.name}" was lost ${age(seen)} ago; what it ran is given to others`);
    } else if (node.alive && isSilent(node)) {
      say("bad", `Node "${node.name}" does not answer; its last heartbeat is ${age(seen)} old`);
    } else if (node.alive && node.listener === "isolated") {
      say("warn", `Node "${node.name}" hears no notifications: it only finds work by looking for it`);
    } else if (node.alive && node.state === "draining") {
      say("warn", `Node "${node.name}" drains: it takes no new work`);
    }
  }
  return found;
}

/** Alive by its lease, but it did not answer. One that is isolated cannot. */
export function isSilent(node: NodeLook): boolean {
  return node.alive && node.status === null && node.listener === "connected";
}

function queueFindings({ queues, nodes, now }: Snapshot): Finding[] {
  const found: Finding[] = [];
  const able = nodes.filter(({ alive, state }) => alive && state === "running");
  for (const { queue, available, paused, oldest_at } of queues) {
    if (available === 0) continue;
    const href = `/envelopes?q=${encodeURIComponent(`queue:${quoted(queue)} state:available`)}`;
    const waiting = `${plural(available, "envelope waits", "envelopes wait")} in queue "${queue}"`;
    const oldest = oldest_at === null ? 0 : secondsBetween(oldest_at, now);
    if (paused) found.push({ tone: "warn", text: `${waiting}, which is paused`, href });
    else if (!able.some(({ queues }) => queues.includes(queue))) {
      found.push({ tone: "bad", text: `${waiting}, which no node works on`, href });
    } else if (oldest > LONG_WAIT) {
      found.push({ tone: "warn", text: `${waiting}, the oldest for ${age(oldest)}`, href });
    }
  }
  return found;
}

function deadFindings({ counts }: Snapshot): Finding[] {
  const { recent: { discarded }, since, now } = counts;
  if (discarded === 0 || since === null) return [];
  const all = discarded + counts.recent.completed + counts.recent.cancelled;
  const text = `${count(discarded)} of the last ${plural(all, "envelope")} that ended ${
    discarded === 1 ? "was" : "were"
  } discarded, within ${age(secondsBetween(since, now))}`;
  return [{ tone: discarded * 20 > all ? "bad" : "warn", text, href: "/failures" }];
}
