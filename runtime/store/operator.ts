/**
 * The operator's part of the store's port: giving up, bringing back, and asking why. Every verb may be called by many
 * at once for the same envelopes.
 *
 * @module
 */
import type { State } from "../state.ts";

/**
 * What became of a request to discard: `discarded` (it had not begun, or was so already), `requested` (it runs, on
 * `node`, and was told; it ends as discarded unless it completes), else its final state.
 */
export interface Discarded {
  uuid: string;
  did: "discarded" | "requested" | State;
  node: string | null;
}

/**
 * What became of a request to retry: `retried` (it is available), `blocked` (it goes when no equal one is before it),
 * else the state in which nothing can be done for it.
 */
export interface Retried {
  uuid: string;
  did: "retried" | "blocked" | State;
  node: string | null;
}

/** The dead of one task that died of one error. */
export interface FailureRow {
  task: string;
  /** The error's name. */
  error: string;
  /** The first line of its message; # stands for numbers and uuids. */
  message: string;
  count: number;
  first_at: string;
  last_at: string;
  last_uuid: string;
}

/** What failures to look at; every field narrows. */
export interface FailureFilter {
  queue?: string;
  task?: string;
  /** Those of the last so many seconds. */
  withinSeconds?: number;
  limit: number;
}

/** What may hold back an envelope that is not final, besides what its own row says. */
export interface Holdups {
  /** Its rule for duplicates holds it until the stager lets it go. */
  blocked: boolean;
  /** Its queue is. */
  paused: boolean;
  /** The equal envelope that goes before it. */
  head: { uuid: string; state: State } | null;
  /** Available ones of its queue that are claimed before it, counted up to 1,000. */
  ahead: number;
  /** How often it was stopped for something more urgent. */
  preempted: number;
  /** Nodes that run something less urgent which gives way. */
  victims: string[];
  /** Seconds since it was published, or due. */
  waited: number;
}

/** Something that somebody did over HTTP; without arguments and secrets. */
export interface AuditEntry {
  who: string;
  /** What said who it is: local, basic, bearer, proxy. */
  how: string;
  /** The address it came from. */
  address: string;
  /** The node that was asked. */
  node: string;
  action: string;
  /** What it was done to. */
  target: string;
  /** How many things it changed. */
  count: number;
  ok: boolean;
  detail: Record<string, unknown>;
}

/** A record as it is kept. */
export interface AuditRow extends AuditEntry {
  id: number;
  at: string;
}

/** Which records to look at; every field narrows. */
export interface AuditFilter {
  action?: string;
  who?: string;
  /** Those before this one. */
  before?: number;
  /** At most this many, the latest first. */
  limit: number;
}

/** The operator's part of the port. */
export interface OperatorStore {
  /** Give up: what waits is discarded for this reason, what runs is asked to end and is discarded then. */
  discard(uuids: string[], reason: string): Promise<(Discarded & { queue: string | null })[]>;
  /**
   * Bring back what is dead, with a new allowance of attempts and its history, and let go at once what waits for a
   * time. Each uuid by one caller, however many ask; `queue` is where it waits now.
   */
  retry(uuids: string[]): Promise<(Retried & { queue: string | null })[]>;
  /** Cancel all that waits in a queue now; what runs goes on. Returns how many. */
  purge(queue: string, tell?: (purged: number) => void): Promise<number>;
  /** Stop or resume the claims of a queue; false when it was so already. */
  pause(queue: string, paused: boolean): Promise<boolean>;
  /** The dead by task and error, the latest first. */
  failures(filter: FailureFilter): Promise<FailureRow[]>;
  /** What holds an envelope back; null when it is not among those that wait or run. */
  holdups(uuid: string): Promise<Holdups | null>;
  /** Keep records of what was done. */
  audit(entries: AuditEntry[]): Promise<void>;
  /** Records, the latest first. */
  audits(filter: AuditFilter): Promise<AuditRow[]>;
}
