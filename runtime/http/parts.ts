/**
 * What the HTTP surface works with. It knows a node by this view only, and the cluster by a client.
 *
 * @module
 */
import type { Client } from "../client.ts";
import type { Clock } from "../clock.ts";
import type { Config, Origin } from "../config.ts";
import type { Finding } from "../doctor/finding.ts";
import type { Events } from "../events.ts";

/** Whether a node can do its work, and what it lacks. */
export interface Readiness {
  ready: boolean;
  /** The database answered when it was asked last. */
  database: boolean;
  /** It hears notifications. */
  listen: boolean;
  /** A slot is there that can run something. */
  slot: boolean;
  draining: boolean;
}

/** The node that serves. */
export interface NodeView {
  readonly name: string;
  readonly version: string;
  /** Name and version. */
  readonly runtime: string;
  readiness(): Readiness;
}

/** What every part of the HTTP surface is built from. */
export interface HttpParts {
  node: NodeView;
  config: Config;
  /** By dotted path; empty where nobody told. */
  origins: Readonly<Record<string, Origin>>;
  events: Events;
  clock: Clock;
  /** A client over a small pool of its own, so that no page takes a connection from the dispatcher; connects at the first call. */
  client(): Promise<Client>;
  /** The metrics of this node as Prometheus reads them. */
  metrics(): Promise<{ text: string; type: string }>;
  /** What the doctor finds, over a connection of its own; a few seconds. */
  diagnose?(): Promise<Finding[]>;
  /** Ends when the server does: whatever streams must stop then. */
  closing: AbortSignal;
}

/** What the doors know. */
export type Guarded = Pick<HttpParts, "config" | "clock" | "events">;

/** Who asks, as far as the connection tells. */
export interface Remote {
  /** The address of the other side. */
  address: string;
}
