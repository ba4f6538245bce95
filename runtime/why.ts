/**
 * Why an envelope does not run, or who runs it, or how it ended: from facts to sentences.
 *
 * @module
 */
import { BROADCAST_QUEUE } from "./envelope.ts";
import type { ErrorRecord } from "./errors.ts";
import type { State } from "./state.ts";
import { orderReasons, resourceReasons, type WhyNode } from "./why_resources.ts";

/** What is known of an envelope, its queue, and the nodes. Times are ISO strings of the database's clock. */
export interface WhyFacts {
  row: {
    uuid: string;
    priority: number;
    options: { [key: string]: unknown };
    state: State;
    queue: string;
    attempt: number;
    max_attempts: number | null;
    due_at: string | null;
    node: string | null;
    claimed_at: string | null;
    finished_at: string | null;
    cancel_at: string | null;
    error: ErrorRecord | null;
    attempts: { attempt: number; node: string; outcome: string; finished_at: string; error?: ErrorRecord }[];
  };
  /** Null for what is final. */
  holdups: {
    blocked: boolean;
    paused: boolean;
    head: { uuid: string; state: State } | null;
    ahead: number;
    waited: number;
    preempted: number;
    victims: string[];
  } | null;
  nodes: (WhyNode & {
    alive: boolean;
    state: string;
    queues: string[];
    busy: number;
    max: number;
    last_seen: string;
  })[];
  /** The worker that runs it, when its node answered; null when it waits there for a slot. */
  worker?: string | null;
}

/** Why, as a word for programs. */
export type WhyCode =
  | "completed"
  | "cancelled"
  | "discarded"
  | "running"
  | "claimed"
  | "cancel_requested"
  | "node_lost"
  | "scheduled"
  | "retryable"
  | "duplicate"
  | "staging"
  | "paused"
  | "broadcast"
  | "no_node"
  | "no_consumer"
  | "draining"
  | "no_resources"
  | "resources"
  | "reserved"
  | "full_pool"
  | "queue_ahead"
  | "aged"
  | "preempts"
  | "preempted"
  | "preemptible"
  | "imminent"
  | "failed_before";

export interface Why {
  code: WhyCode;
  text: string;
}

/** The reasons, the weightiest first. */
export function whyOf(facts: WhyFacts): Why[] {
  const { state } = facts.row;
  if (state === "completed" || state === "cancelled" || state === "discarded") return [ended(facts, state)];
  if (state === "running") return running(facts);
  const waits = [...held(facts), ...obstacles(facts)];
  if (waits.length === 0) waits.push({ code: "imminent", text: "A node is about to claim it" });
  return [...waits, ...failures(facts)];
}

function ended({ row }: WhyFacts, code: "completed" | "cancelled" | "discarded"): Why {
  const { node, finished_at, attempt, error } = row;
  const where = node === null ? "" : ` on node "${node}"`;
  const tries = attempt === 0 ? " before it ran" : ` in attempt ${attempt}`;
  const why = code === "completed" || error === null ? "" : `: ${error.name}: ${error.message}`;
  return { code, text: `It was ${code} at ${finished_at}${where}${tries}${why}` };
}

function running({ row, nodes, worker }: WhyFacts): Why[] {
  const { node, claimed_at, cancel_at, attempt } = row;
  const place = worker === undefined || worker === null ? "" : `, worker ${worker}`;
  const found: Why[] = [
    worker === null
      ? { code: "claimed", text: `Node "${node}" has claimed it at ${claimed_at}; it waits there for a slot` }
      : {
        code: "running",
        text: `It runs on node "${node}"${place}, since ${claimed_at}, attempt ${attempt}`,
      },
  ];
  const holder = nodes.find(({ name }) => name === node);
  if (!holder?.alive) {
    found.push({
      code: "node_lost",
      text: `Node "${node}" is not alive: when its lease has ended it is given back, and runs elsewhere`,
    });
  }
  if (row.options.preemptible === true) {
    found.push({
      code: "preemptible",
      text: "It gives way to what is more urgent: then it is stopped, and runs again",
    });
  }
  if (cancel_at !== null) {
    found.push({ code: "cancel_requested", text: `Its end was asked for at ${cancel_at}` });
  }
  return found;
}

/** What its own row holds it back by. */
function held({ row: { state, due_at, attempt }, holdups }: WhyFacts): Why[] {
  const found: Why[] = [];
  if (state === "retryable") {
    const text = due_at === null
      ? `Attempt ${attempt} is over; it is tried again`
      : `It is tried again at ${due_at}, after attempt ${attempt}`;
    found.push({ code: "retryable", text });
  } else if (due_at !== null) {
    found.push({ code: "scheduled", text: `It is scheduled for ${due_at}` });
  }
  if (holdups?.blocked && holdups.head) {
    const { uuid, state } = holdups.head;
    found.push({ code: "duplicate", text: `It waits behind an equal one, ${uuid}, which is ${state}` });
  } else if (holdups?.blocked && due_at === null) {
    found.push({ code: "staging", text: "No equal one is before it any more: the leader lets it go next" });
  }
  return found;
}

/** What stands in the way of every claim. */
function obstacles({ row, holdups, nodes }: WhyFacts): Why[] {
  const { queue, state } = row;
  const found: Why[] = [];
  if (queue === BROADCAST_QUEUE) {
    found.push({
      code: "broadcast",
      text: "It is an entry of the broadcast log that no node has a copy of yet",
    });
    return nodes.some((node) => node.alive)
      ? found
      : [...found, { code: "no_node", text: "No node is alive" }];
  }
  if (holdups?.paused) found.push({ code: "paused", text: `Queue "${queue}" is paused` });
  const alive = nodes.filter((node) => node.alive);
  const consumers = alive.filter((node) => node.queues.includes(queue));
  const able = consumers.filter((node) => node.state === "running");
  if (alive.length === 0) return [...found, { code: "no_node", text: "No node is alive" }];
  if (consumers.length === 0) return [...found, noConsumer(queue, nodes, alive)];
  if (able.length === 0) {
    const names = consumers.map(({ name }) => `"${name}"`).join(", ");
    return [...found, { code: "draining", text: `All nodes of queue "${queue}" are draining: ${names}` }];
  }
  // Of what is not available yet nobody can tell how full the pools will be.
  if (state !== "available") return found;
  const waits = { ...row, waited: 0, preempted: 0, victims: [], ...holdups, able };
  const resources = resourceReasons(waits);
  found.push(...resources);
  if (able.every(({ busy, max }) => busy >= max)) {
    const pools = able.map(({ name, busy, max }) => `"${name}" ${busy} of ${max}`).join(", ");
    found.push({ code: "full_pool", text: `All slots are busy on the nodes of queue "${queue}": ${pools}` });
  }
  const ahead = holdups?.ahead ?? 0;
  if (ahead > 0) {
    const count = ahead >= 1_000 ? "1000 or more" : `${ahead}`;
    found.push({ code: "queue_ahead", text: `${count} available in queue "${queue}" go before it` });
  }
  if (!resources.some(({ code }) => code === "no_resources")) found.push(...orderReasons(waits));
  return found;
}

function noConsumer(queue: string, nodes: WhyFacts["nodes"], alive: WhyFacts["nodes"]): Why {
  const gone = nodes.find((node) => node.name === queue);
  const lives = alive.map((node) => `"${node.name}" (${node.queues.join(", ")})`).join(", ");
  const text = gone
    ? `Its node "${queue}" is not alive, last seen at ${gone.last_seen}`
    : `No live node consumes queue "${queue}"; alive: ${lives}`;
  return { code: "no_consumer", text };
}

/** Whether a task exists only its nodes can tell, when they try: the last failure says what they said. */
function failures({ row: { attempts } }: WhyFacts): Why[] {
  const failed = attempts.filter(({ error, outcome }) =>
    error && outcome !== "released" && outcome !== "preempted"
  );
  const last = failed.at(-1);
  if (!last) return [];
  const text = `Attempt ${last.attempt} failed on node "${last.node}" at ${last.finished_at}: ` +
    `${last.error!.name}: ${last.error!.message}`;
  return [{ code: "failed_before", text }];
}
