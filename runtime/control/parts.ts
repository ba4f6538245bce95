/**
 * What the control commands of a node look at.
 *
 * @module
 */
import type { Clock } from "../clock.ts";
import type { Level } from "../events.ts";
import type { Pool } from "../pool/pool.ts";
import type { RecentCounts } from "../recent.ts";
import type { AdoptedFilter, AdoptedRow } from "../store/store.ts";
import type { NodeResources } from "../store/triage.ts";

/** What the commands look at. */
export interface CommandParts {
  node: string;
  pid: number;
  runtime: string;
  version: string;
  queues: string[];
  pool: Pool;
  clock: Clock;
  state(): "running" | "draining";
  leader(): boolean;
  /** What the node offers, and what is in use. */
  resources(): NodeResources;
  /** The state of the listening connection. */
  hearing(): "connected" | "isolated" | "down";
  received(): { messages: number; controls: number };
  chunks(): { status: unknown; partials: unknown };
  producers(): Record<string, unknown>;
  /** What this node took from the wire and what cannot run yet. */
  adopted(filter: AdoptedFilter): Promise<AdoptedRow[]>;
  /** End what it took from the wire and what cannot run yet. */
  cancelAdopted(uuids: string[]): Promise<unknown>;
  /** Take a task message for this node. */
  run(message: Record<string, unknown>): Promise<void>;
  services(): { name: string; failing: boolean }[];
  level(): Level;
  setLevel(level: Level): Level;
  /** The exporter, as dispatcherd tells of its own; undefined when nothing is served. */
  exporter(): Record<string, unknown> | undefined;
  /** The last minute by queue, of those in which anything happened; undefined when nothing is counted. */
  recent(): Record<string, RecentCounts> | undefined;
  /** Claim nothing more and stay, or claim again; false when the node is stopping. */
  drain(draining: boolean): boolean;
  /** Tell a channel what happens here, for a while; false when too many watch. */
  watch(channel: string, seconds: number): boolean;
  /** Have another number of slots, until the next start. */
  scale(min: number, max: number): void;
}
