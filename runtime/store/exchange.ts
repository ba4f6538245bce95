/**
 * The part of the store's port that moves envelopes: what a node claims, what it says of how an attempt ended, and the round
 * trip that carries both.
 *
 * @module
 */
import { BATCH_BYTES } from "../batch.ts";
import type { ErrorRecord } from "../errors.ts";
import type { Outcome } from "../state.ts";
import type { Floor, Lane } from "./triage.ts";

/** What proves that an attempt is still ours: a write that carries an old one changes nothing. */
export interface Token {
  uuid: string;
  /** Counts the claims of this envelope; unlike `attempt` it is never given back. */
  fence: number;
}

/** An envelope that this node has claimed and must settle. */
export interface Claimed extends Token {
  task: string;
  queue: string;
  /** JSON text. */
  args: string;
  /** JSON text. */
  kwargs: string;
  /** JSON text. */
  options: string;
  priority: number;
  attempt: number;
  /** Attempts that do not count, since somebody has given it a new allowance after them. */
  forgiven: number;
  maxAttempts: number | null;
  /** Seconds, null when the message names none. */
  timeout: number | null;
  /** Must run alone in its host. */
  solo: boolean;
  origin: string | null;
  /** Others may wait for its end, because they are equal. */
  keyed: boolean;
}

/** One finished attempt, as it is kept in the envelope's history. */
export interface AttemptRecord {
  attempt: number;
  node: string;
  /** Host process and slot, for example `9610.3`. */
  worker: string | null;
  started_at: string | null;
  finished_at: string;
  outcome: Outcome | "preempted";
  error?: ErrorRecord;
}

/** Where and when an attempt ran, in milliseconds since 1970. */
export type Ran = { worker: string | null; started: number | null; finished: number };

/** The verdict on an attempt, on its way to the database. */
export interface Settlement extends Token {
  outcome: Outcome;
  /** JSON text of an {@link AttemptRecord}; null keeps no trace (a release that nobody needs to see). */
  record: string | null;
  /** In place of a record, of an attempt that completed: the rest of that record is known. */
  ran: Ran | null;
  /** JSON text. */
  result: string | null;
  /** JSON text of an {@link ErrorRecord}. */
  error: string | null;
  /** Seconds until a retry is due, or what is given back may run again; null for what may at once. */
  delay: number | null;
  /** From now on it runs alone in its host. */
  solo: boolean;
  /** JSON text of the last progress, where it was not written before. */
  progress: string | null;
  /** Who waits for it asked to be told. */
  watch: boolean;
  /** Others may wait for its end. */
  keyed: boolean;
  /** It may be settled already, by a transaction of its own. */
  doubtful?: boolean;
}

/**
 * Bytes of long content that one claim hands out at most, as they are stored, and at least that of one envelope: several
 * claims may be under way, of which none knows yet how much the others bring.
 */
export const CLAIM_BYTES: number = BATCH_BYTES;

/** One round trip of a node: settle what is finished, claim what there is room for. */
export interface Exchange {
  node: string;
  instance: string;
  settlements: Settlement[];
  queues: string[];
  /** Envelopes to claim at most; 0 claims none. */
  limit: number;
  /** What these name is claimed only if it was written later; by default everything is. */
  floors?: Floor[];
  /** From this alone. */
  lane?: Lane;
  /** Bytes of long content to hand out at most, as they are stored, and at least that of one envelope; {@link CLAIM_BYTES} unless told. */
  bytes?: number;
}

/** What an exchange did. */
export interface Exchanged {
  claimed: Claimed[];
  /** Claimed besides, without their content, which would have been too much at once: to be given back. */
  withheld: Claimed[];
  /** The first of those, by queue and priority. */
  returned: Floor[];
  /** Whether nothing more was available. */
  all: boolean;
  /** Uuids that were settled; what was asked for and is missing here was stale. */
  settled: Set<string>;
  /** The last that was claimed, by queue and priority. */
  reached: Floor[];
  /** The last number that was drawn by anybody; 0 where nothing was to be claimed. */
  last: number;
  /** Whether anything in these queues waits and asks for resources. */
  asking: boolean;
}
