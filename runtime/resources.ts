/**
 * Resources: what an envelope asks for and what a node offers, as amounts by name. Pure.
 *
 * @module
 */
import { z } from "zod";

/** Amounts by name, such as `{ cpu: 2, memoryMb: 512 }`; what is not named is 0. */
export type Resources = Readonly<Record<string, number>>;

const NAME = /^[A-Za-z][A-Za-z0-9_]{0,62}$/;
const MOST = 1e12;

/** Names and amounts, checked. */
export const resourcesSchema: z.ZodType<Record<string, number>> = z.record(
  z.string().regex(NAME, "it is not a name of letters, digits and _, beginning with a letter"),
  z.number().min(0).max(MOST),
);

/** What an attempt asks for that asks for nothing. */
export const NOTHING: Resources = Object.freeze({});

/**
 * Read `cpu=2,gpu=1`; undefined when it is no such text.
 *
 * @example
 * ```ts
 * import { resourcesOf } from "./resources.ts";
 * resourcesOf("cpu=2,gpu=1"); // { cpu: 2, gpu: 1 }
 * ```
 */
export function resourcesOf(text: string): Resources | undefined {
  const found: Record<string, number> = {};
  for (const part of text.split(",").map((part) => part.trim())) {
    const [name, amount, more] = part.split("=");
    const value = amount === undefined || amount.trim() === "" ? NaN : Number(amount);
    if (more !== undefined || !NAME.test(name) || !(value >= 0 && value <= MOST)) return undefined;
    found[name] = value;
  }
  return found;
}

/** What is more than 0, by name: equal demands give equal texts. */
export function resourcesText(resources: Resources): string {
  const asked = Object.entries(resources).filter(([, amount]) => amount > 0);
  return asked.sort(([a], [b]) => a < b ? -1 : 1).map(([name, amount]) => `${name}=${amount}`).join(",");
}

/** For people: `2 gpu and 512 memoryMb`. */
export function resourcesWords(resources: Resources): string {
  const asked = Object.entries(resources).filter(([, amount]) => amount > 0);
  return asked.map(([name, amount]) => `${amount} ${name}`).join(" and ");
}

/** What is in use of what is offered: `cpu 1 of 4, gpu 0 of 1`. */
export function usageWords({ offers, used }: { offers: Resources; used: Resources }): string {
  return Object.keys(offers).sort().map((name) => `${name} ${used[name] ?? 0} of ${offers[name]}`).join(", ");
}

/** A task's own word on its resources, which may be anything; a text says what is wrong with it. */
export function readResources(given: unknown): Resources | string {
  const parsed = resourcesSchema.safeParse(given);
  if (parsed.success) return parsed.data;
  const { path, message } = parsed.error.issues[0];
  return path.length > 0 ? `${path.join(".")}: ${message}` : message;
}

/**
 * What the options of an envelope ask for; {@link NOTHING} where they do not say, or say what cannot be read.
 *
 * @param options JSON text.
 */
export function demandOf(options: string): Resources {
  return askedBy(options) ?? NOTHING;
}

/** The same, undefined where they do not say: then the task may. */
export function askedBy(options: string): Resources | undefined {
  // Most have none, and are not parsed for that.
  if (!options.includes('"resources"')) return undefined;
  const { resources } = JSON.parse(options);
  if (resources === undefined || resources === null) return undefined;
  const read = readResources(resources);
  return typeof read === "string" ? undefined : read;
}

/** Whether the options say that it may be stopped for a more urgent one; undefined where they do not say. */
export function preemptibleBy(options: string): boolean | undefined {
  if (!options.includes('"preemptible"')) return undefined;
  const { preemptible } = JSON.parse(options);
  return typeof preemptible === "boolean" ? preemptible : undefined;
}

/** Whether a demand asks for anything. */
export function asks(demand: Resources): boolean {
  for (const name in demand) if (demand[name] > 0) return true;
  return false;
}

/** Sums of amounts such as 0.1 are not exact; what they lack must not keep the last of ten out. */
const GRAIN = 1e-9;

/** Whether a demand fits into what is free; of what is not named there, nothing is. */
export function fits(demand: Resources, free: Resources): boolean {
  return lacking(demand, free).length === 0;
}

/** The names of which there is too little. */
export function lacking(demand: Resources, free: Resources): string[] {
  return Object.keys(demand).filter((name) => {
    const amount = demand[name];
    return amount > 0 && amount > (free[name] ?? 0) + GRAIN * Math.max(1, amount);
  });
}

/** The sum of two. */
export function plus(a: Resources, b: Resources): Resources {
  const sum: Record<string, number> = { ...a };
  for (const name in b) sum[name] = (sum[name] ?? 0) + b[name];
  return sum;
}

/** What is left of one without another; below 0 where there was less. */
export function minus(a: Resources, b: Resources): Resources {
  const rest: Record<string, number> = { ...a };
  for (const name in b) rest[name] = (rest[name] ?? 0) - b[name];
  return rest;
}
