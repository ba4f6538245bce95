/**
 * Why an envelope waits where resources, ageing and preemption have a say: from facts to sentences.
 *
 * @module
 */
import { asks, lacking, minus, readResources, type Resources, resourcesWords } from "./resources.ts";

/** A node and what it last told of its resources. */
export interface WhyNode {
  name: string;
  resources?: { offers: Resources; used: Resources; ageing: number; reserved: string | null } | null;
}

/** The part of the facts that this is about. */
export interface WhyWaits {
  uuid: string;
  priority: number;
  options: { [key: string]: unknown };
  /** Seconds, how often it was stopped, and the nodes that run something less urgent that gives way. */
  waited: number;
  preempted: number;
  victims: string[];
  /** Those that could claim it. */
  able: readonly WhyNode[];
}

type Found<Code extends string> = { code: Code; text: string }[];

/** What it asks for; nothing where it does not say. */
export function demandIn(options: { [key: string]: unknown }): Resources {
  const read = options.resources === undefined ? {} : readResources(options.resources);
  return typeof read === "string" ? {} : read;
}

/** What keeps it from the nodes that could claim it. */
export function resourceReasons(facts: WhyWaits): Found<"no_resources" | "resources" | "reserved"> {
  const demand = demandIn(facts.options);
  if (!asks(demand)) return [];
  const offers = facts.able.map((node) => ({ node, lacks: lacking(demand, node.resources?.offers ?? {}) }));
  if (offers.every(({ lacks }) => lacks.length > 0)) {
    return [{ code: "no_resources", text: noneOffers(demand, offers) }];
  }
  const keeps = facts.able.find(({ resources }) => resources?.reserved === facts.uuid);
  const found: Found<"resources" | "reserved"> = [];
  const fitting = offers.filter(({ lacks }) => lacks.length === 0).map(({ node }) => node);
  const inUse = fitting.map(({ name, resources }) => {
    const { offers, used } = resources!;
    return { name, offers, used, lacks: lacking(demand, minus(offers, used)) };
  });
  if (inUse.every(({ lacks }) => lacks.length > 0)) {
    const names = [...new Set(inUse.flatMap(({ lacks }) => lacks))];
    const wanted = resourcesWords(only(demand, names));
    const nodes = inUse.map(({ name, offers, used }) => {
      const amount = (of: Resources) => names.map((one) => amountOf(of, one, names.length > 1)).join(" and ");
      return `node "${name}" offers ${amount(offers)}, in use ${amount(used)}`;
    });
    found.push({ code: "resources", text: `It waits for ${wanted}: ${nodes.join("; ")}` });
  }
  if (keeps) {
    found.push({
      code: "reserved",
      text: `Node "${keeps.name}" holds room for it: nobody behind it takes that`,
    });
  }
  return found;
}

function noneOffers(demand: Resources, offers: { node: WhyNode; lacks: string[] }[]): string {
  const names = [...new Set(offers.flatMap(({ lacks }) => lacks))];
  const some = offers.map(({ node: { name, resources } }) => {
    const there = names.filter((one) => (resources?.offers[one] ?? 0) > 0);
    return there.length === 0 ? "" : `"${name}" offers ${resourcesWords(only(resources!.offers, there))}`;
  }).filter((text) => text !== "");
  if (some.length === 0) return `No live node offers ${names.join(" or ")}`;
  return `No live node offers ${resourcesWords(only(demand, names))}: ${some.join(", ")}`;
}

function only(of: Resources, names: string[]): Resources {
  return Object.fromEntries(names.map((name) => [name, of[name] ?? 0]));
}

function amountOf(of: Resources, name: string, named: boolean): string {
  return `${of[name] ?? 0}${named ? ` ${name}` : ""}`;
}

/** What waiting and giving way have done to it, and what is stopped for it. */
export function orderReasons(facts: WhyWaits): Found<"aged" | "preempts" | "preempted"> {
  const { priority, waited, able, preempted, victims } = facts;
  const found: Found<"aged" | "preempts" | "preempted"> = [];
  const ageing = Math.max(0, ...able.map(({ resources }) => resources?.ageing ?? 0));
  const aged = ageing === 0 ? priority : priority - Math.floor(waited / ageing);
  if (aged !== priority) {
    found.push({
      code: "aged",
      text: `It has aged from priority ${priority} to ${aged}: a step each ${ageing} s`,
    });
  }
  if (victims.length > 0) {
    const places = victims.map((name) => `"${name}"`).join(", ");
    found.push({
      code: "preempts",
      text: `Something less urgent runs on ${places}, and is stopped for it where that helps`,
    });
  }
  if (preempted > 0) {
    const times = preempted === 1 ? "once" : `${preempted} times`;
    found.push({ code: "preempted", text: `It was stopped for something more urgent ${times}` });
  }
  return found;
}
