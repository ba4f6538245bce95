/**
 * The part of the store's port by which a node finds out what should run first, where the plain order of claiming does
 * not tell: what asks for resources, what has waited for long, what is more urgent than what runs.
 *
 * @module
 */
import type { Resources } from "../resources.ts";

/** A place in the order of claiming: a queue, a priority, and the number of an envelope. */
export interface Floor {
  queue: string;
  priority: number;
  id: number;
}

/** The envelopes of one queue and one priority. */
export type Lane = Pick<Floor, "queue" | "priority">;

/** An envelope among the first of those that are like it. */
export interface Contender extends Floor {
  uuid: string;
  /** Null: it asks for nothing. */
  demand: Resources | null;
  /** Seconds since it was published, or due. */
  waited: number;
}

/** An envelope that was claimed by the ordinary way, and asks for resources. */
export interface Asked {
  uuid: string;
  fence: number;
  demand: Resources;
}

/** What a node tells of its resources with each heartbeat. */
export interface NodeResources {
  offers: Resources;
  used: Resources;
  /** Seconds of waiting that are worth one step of priority; 0: none are. */
  ageing: number;
  /** For whom it holds room. */
  reserved: string | null;
}

/** Choosing what goes first. */
export interface TriageStore<Claimed> {
  /**
   * Of each queue, demand and priority the first few that could run now; nothing of queues that are paused. Of many kinds
   * a part, the next time another.
   */
  contenders(queues: string[], each: number): Promise<Contender[]>;
  /** Claim these of those that ask for resources, as far as they still wait. */
  claimAsking(node: string, instance: string, uuids: string[]): Promise<Claimed[]>;
  /** Give back, uncharged, what turned out to ask for resources, and keep what for; returns the uuids. */
  ask(instance: string, asked: Asked[]): Promise<Set<string>>;
  /** Count a preemption of what runs, unless it had so many already; returns the uuids of which one was counted. */
  preempt(instance: string, running: Omit<Asked, "demand">[], most: number): Promise<Set<string>>;
}
