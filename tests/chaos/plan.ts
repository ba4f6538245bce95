/**
 * What is broken when: a list made from a seed before anything starts, so that the same seed breaks the same things in
 * the same order.
 *
 * @module
 */
import { Random } from "./random.ts";

export type Fault =
  | { kind: "kill_node"; node: number; downMs: number }
  | { kind: "freeze_node"; node: number; forMs: number }
  | { kind: "kill_host"; node: number }
  | { kind: "drain_node"; node: number; downMs: number }
  | { kind: "restart_server"; mode: "fast" | "immediate"; downMs: number }
  | { kind: "terminate_backends" }
  | { kind: "delay"; node: number | "all"; ms: number; forMs: number }
  | { kind: "drop"; node: number | "all" }
  | { kind: "blackhole"; node: number | "all"; forMs: number; then: "reset" | "half open" };

export type FaultKind = Fault["kind"];

export const KINDS: readonly FaultKind[] = [
  "kill_node",
  "freeze_node",
  "kill_host",
  "drain_node",
  "restart_server",
  "terminate_backends",
  "delay",
  "drop",
  "blackhole",
];

/** Wait, then break these at once; the next step begins when all of them are mended. */
export interface Step {
  afterMs: number;
  faults: Fault[];
}

export interface PlanOptions {
  seed: number;
  nodes: number;
  /** How long the steps take in sum, about. */
  ms: number;
  /** A node that is silent for so long is taken for dead. */
  leaseMs: number;
  /** The longest outage of the server. */
  outageMs?: number;
}

/** Make the plan of a seed. */
export function planOf({ seed, nodes, ms, leaseMs, outageMs = 4_000 }: PlanOptions): Step[] {
  const random = new Random(seed);
  const steps: Step[] = [];
  // Every kind comes once before any comes again.
  let deck: FaultKind[] = [];
  const draw = () => {
    if (deck.length === 0) deck = random.shuffle(KINDS);
    return deck.pop()!;
  };
  for (let at = 0; at < ms;) {
    const free = random.shuffle(Array.from({ length: nodes }, (_, i) => i));
    const faults = [makeFault(draw(), free.pop()!, random, { leaseMs, outageMs })];
    if (free.length > 0 && random.chance(0.25)) {
      const second = makeFault(draw(), free.pop()!, random, { leaseMs, outageMs });
      if (mayMeet(faults[0], second)) faults.push(second);
    }
    const step = { afterMs: random.between(300, 1_500), faults };
    steps.push(step);
    at += step.afterMs + Math.max(...faults.map(lengthOf));
  }
  return steps;
}

/** Two that use the same thing would mend each other: the server, or the way of one node. */
function mayMeet(a: Fault, b: Fault): boolean {
  const all = (f: Fault) => "node" in f && f.node === "all";
  const server = (f: Fault) => f.kind === "restart_server" || f.kind === "terminate_backends";
  return a.kind !== b.kind && !all(a) && !all(b) && !(server(a) && server(b));
}

function makeFault(
  kind: FaultKind,
  node: number,
  random: Random,
  { leaseMs, outageMs }: { leaseMs: number; outageMs: number },
): Fault {
  const target = random.chance(0.3) ? "all" as const : node;
  const longer = random.chance(0.6);
  switch (kind) {
    case "kill_node":
    case "drain_node":
      return { kind, node, downMs: random.between(0, leaseMs) };
    case "freeze_node":
      return { kind, node, forMs: longer ? random.between(leaseMs + 500, leaseMs * 2) : 500 };
    case "kill_host":
      return { kind, node };
    case "restart_server":
      return {
        kind,
        mode: random.chance(0.5) ? "fast" : "immediate",
        downMs: random.between(0, outageMs),
      };
    case "terminate_backends":
      return { kind };
    case "delay":
      return { kind, node: target, ms: random.between(5, 150), forMs: random.between(500, 3_000) };
    case "drop":
      return { kind, node: target };
    case "blackhole":
      return {
        kind,
        node: target,
        forMs: longer ? random.between(leaseMs, leaseMs * 2) : 600,
        then: random.chance(0.5) ? "reset" : "half open",
      };
  }
}

function lengthOf(fault: Fault): number {
  if ("forMs" in fault) return fault.forMs;
  return "downMs" in fault ? fault.downMs + 1_000 : 200;
}

/** One line for people. */
export function sayFault(fault: Fault): string {
  const { kind, ...rest } = fault;
  return [kind, ...Object.entries(rest).map(([key, value]) => `${key}=${value}`)].join(" ");
}
