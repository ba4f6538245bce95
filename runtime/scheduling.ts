/**
 * The settings of what runs first: what a node offers, and how patient it is.
 *
 * @module
 */
import { availableParallelism, totalmem } from "node:os";
import process from "node:process";
import { z } from "zod";
import { type Resources, resourcesOf, resourcesSchema } from "./resources.ts";

const seconds = z.number().min(0).max(1e9);

/** The fields of the configuration. Resources may be a text, as from the environment: `cpu=4,gpu=1`. */
export const schedulingShape = {
  resources: z.union([
    resourcesSchema,
    z.string().refine((text) => resourcesOf(text) !== undefined, "it is not like cpu=4,gpu=1"),
  ]).default({}).describe(
    "What the node offers to what asks for resources, such as gpu=1; cpu and memoryMb by default what the machine has",
  ),
  priority_ageing_seconds: seconds.default(300).describe(
    "Seconds of waiting that are worth one step of priority; 0: none are",
  ),
  reserve_after_seconds: seconds.default(30).describe(
    "Seconds of waiting after which a node holds room for what does not fit",
  ),
  preempt_after_seconds: seconds.default(1).describe(
    "Seconds of waiting after which something less urgent, if it is preemptible, is stopped",
  ),
};

/** The same, read. */
export interface Scheduling {
  resources: Resources;
  priority_ageing_seconds: number;
  reserve_after_seconds: number;
  preempt_after_seconds: number;
}

/** Resources as they were given, in one form. */
export function offersGiven(given: Resources | string): Resources {
  return typeof given === "string" ? resourcesOf(given) ?? {} : given;
}

/** What a node offers: what it was told, and of processors and memory what the machine has. */
export function offersOf(given: Resources): Resources {
  const bound = process.constrainedMemory?.() || Infinity;
  const memoryMb = Math.floor(Math.min(totalmem(), bound) / 2 ** 20);
  return { cpu: availableParallelism(), memoryMb, ...given };
}
