/**
 * The port of the store: what the dispatcher, its services and its clients ask of the place where envelopes
 * wait. `postgres.ts` implements it; `tests/conformance/store.ts` says what every implementation must do.
 *
 * All times are ISO strings by the database's clock unless a name says `_pub` (the publisher's) or `Ms`.
 *
 * @module
 */
import type { Sealed } from "../envelope.ts";
import type { ErrorRecord } from "../errors.ts";
import type { Json } from "../json.ts";
import type { NodeScheduleRow, ScheduleRow, ScheduleSettings } from "../schedule.ts";
import type { State } from "../state.ts";
import type { AttemptRecord, Claimed, Exchange, Exchanged, Ran, Settlement, Token } from "./exchange.ts";
import type { LogStore } from "./log.ts";
import type { LookStore } from "./look.ts";
import type { CallState, OnCallStore } from "./on_call.ts";
import type { OperatorStore } from "./operator.ts";
import type { Floor, NodeResources, TriageStore } from "./triage.ts";

export type { AttemptRecord, Claimed, Exchange, Exchanged, Floor, Ran, Settlement, Token };

/** A node as it announces itself. */
export interface NodeRegistration {
  name: string;
  instance: string;
  runtime: string;
  version: string;
  host: string;
  pid: number;
  /** Identifies the process for ever: machine, process namespace, start time. */
  boot: string;
  minSlots: number;
  maxSlots: number;
  queues: string[];
  /** Seconds that its lease lasts without being renewed. */
  leaseSeconds: number;
  /** What it ticks by itself, for those who look. */
  schedules?: NodeScheduleRow[];
  /** An instance known to be dead, which may be replaced although its lease lives. */
  replaces?: string;
}

/** Whether a node got its name, and if not, who has it. */
export type Registered = { ok: true; rescued: number } | { ok: false; holder: NodeRow };

/** What a node tells and learns each time it renews its lease. */
export interface Heartbeat {
  instance: string;
  state: "running" | "draining";
  slots: number;
  busy: number;
  minSlots: number;
  maxSlots: number;
  /** Whether it hears notifications, and so can be asked. */
  listener: "connected" | "isolated";
  /** Bytes, of the dispatcher and its hosts. */
  rss: number;
  resources?: NodeResources;
  leaseSeconds: number;
  leaderSeconds: number;
}

export interface HeartbeatReply {
  /** False when another instance took the name or the lease was reclaimed: stop what runs. */
  alive: boolean;
  leader: boolean;
  /** Uuids running here whose end somebody asked for. */
  cancels: string[];
  /** Broadcasts wait for this node. */
  broadcasts: boolean;
  /** A lease has lapsed, or one did lately: the leader looks for what is held under it. */
  lapsed: boolean;
  /** Nodes that run, with a lease, and serve a queue of this one's; itself among them unless it drains or its lease lapsed. */
  sharing: number;
  /** What the table says of its being on call; null when it never was. */
  onCall: CallState | null;
}

/** A row of the node table. */
export interface NodeRow {
  name: string;
  instance: string;
  runtime: string;
  version: string;
  host: string;
  pid: number;
  boot: string;
  state: "running" | "draining" | "stopped" | "lost";
  /** Whether its lease lives. */
  alive: boolean;
  min: number;
  max: number;
  slots: number;
  busy: number;
  /** Whether it hears notifications, by its last heartbeat. */
  listener: "connected" | "isolated";
  /** Bytes, of the dispatcher and its hosts; null before the first heartbeat. */
  rss: number | null;
  /** By its last heartbeat; null before the first, and of a node that knows nothing of them. */
  resources: NodeResources | null;
  queues: string[];
  started_at: string;
  last_seen: string;
  lease_until: string;
  leader: boolean;
}

/** All that is known of one envelope. */
export interface EnvelopeRow {
  uuid: string;
  origin: string | null;
  queue: string;
  task: string;
  args: Json;
  kwargs: Json;
  options: { [key: string]: Json };
  state: State;
  priority: number;
  attempt: number;
  max_attempts: number | null;
  timeout: number | null;
  time_pub: number | null;
  created_at: string;
  due_at: string | null;
  node: string | null;
  claimed_at: string | null;
  finished_at: string | null;
  cancel_at: string | null;
  progress: Json;
  result: Json;
  error: ErrorRecord | null;
  attempts: AttemptRecord[];
}

/** What to list; every field narrows. */
export interface EnvelopeFilter {
  state?: State[];
  queue?: string;
  task?: string;
  node?: string;
  /** Uuid or the beginning of one, also of the broadcast it comes from. */
  uuid?: string;
  /** Published so many seconds ago, or earlier. */
  olderSeconds?: number;
  /** Those whose uuids are smaller, in the order of the uuids, largest first: a page behind another. */
  before?: string;
  /** At most this many, newest first. */
  limit: number;
}

/** A queue and what stands in it. */
export interface QueueRow {
  queue: string;
  scheduled: number;
  available: number;
  running: number;
  retryable: number;
  /** Seconds that the oldest available envelope has waited. */
  oldest_seconds: number | null;
  paused: boolean;
}

/** What became of a request to cancel. */
export interface Cancelled {
  uuid: string;
  /** `cancelled`: it had not begun; `requested`: it runs, on `node`, and was told; else its final state. */
  did: "cancelled" | "requested" | State;
  node: string | null;
}

/** What became of an envelope that was to be written. */
export interface Put {
  /** False for a uuid that is known, or for a duplicate that was dropped. */
  isNew: boolean;
  /** The envelope for whose sake it was dropped. */
  duplicateOf: string | null;
}

/** A message that a node took from the wire and that cannot run yet. */
export interface AdoptedRow {
  uuid: string;
  /** The message of which every node has a copy. */
  origin: string | null;
  task: string;
  args: Json;
  kwargs: Json;
  /** Behind an equal one; otherwise it waits for its time. */
  blocked: boolean;
}

/** Which to look at; what is left out does not narrow. The uuid is its own, or that of what it is a copy of. */
export type AdoptedFilter = { task?: string; uuid?: string; limit: number };

/** What was done to the archive's partitions. */
export interface Pruned {
  created: number;
  dropped: string[];
  /** Somebody reads the archive for long: the rest must wait for another time. */
  inUse: boolean;
}

/** A message that came over a broker instead of the table. */
export interface Adoption {
  envelope: Sealed;
  /** The node runs its own copy, as of a broadcast; otherwise one of the nodes that hear it takes it. */
  everyNode: boolean;
  /** It came without a uuid, so that nodes cannot race for it: the first by name takes it. */
  anonymous: boolean;
}

/** The port. */
export interface Store extends OperatorStore, LogStore, OnCallStore, TriageStore<Claimed> {
  /** For those who look. */
  readonly look: LookStore<EnvelopeRow>;

  /**
   * Write envelopes, in their order; broadcasts go to the log.
   *
   * @param wakes Queues to wake once that is committed; nobody waits for it, and a wake may be lost.
   */
  publish(batch: Sealed[], wakes?: readonly string[]): Promise<Put[]>;
  /**
   * Tell the nodes that serve these queues that there is work; "" says that something is due at another time.
   *
   * @returns Milliseconds for which nobody need be told of any of these queues: all nodes that serve them look by themselves.
   */
  wake(queues: string[]): Promise<number>;
  /** A node looks by itself for the next second, and once more behind it. */
  keepVigil(instance: string): Promise<void>;
  /** Settle and claim in one round trip, and behind it tell those who asked to be told of what ended; as lost as a wake. */
  exchange(work: Exchange): Promise<Exchanged>;
  /** Have so many connections ready for exchanges, so that the first batches do not wait for that; changes nothing. */
  warmUp(connections: number): Promise<void>;
  /** Give back what the instance holds by the table but not by its own books; returns the uuids. */
  reconcile(instance: string, held: Token[]): Promise<string[]>;
  /** Keep the progress of a running attempt; false when the token is stale. */
  progress(instance: string, token: Token, progress: string): Promise<boolean>;

  register(node: NodeRegistration): Promise<Registered>;
  heartbeat(beat: Heartbeat): Promise<HeartbeatReply>;
  /** Give back whatever the instance still holds and end its lease. */
  unregister(instance: string): Promise<void>;

  /** Copy the broadcasts that this node has not had into its own queue; returns how many. */
  deliver(node: string): Promise<number>;
  /** Make rows of messages that came over the wire; returns how many this node took. */
  adopt(node: string, messages: Adoption[]): Promise<number>;
  /** What a node took from the wire and what cannot run yet. */
  adopted(node: string, filter: AdoptedFilter): Promise<AdoptedRow[]>;
  /** Make available what is due, and of equal ones the next; returns its queues, and seconds until the next is due (null: none waits). */
  stage(limit: number): Promise<{ queues: string[]; next: number | null }>;
  /**
   * Give back what instances without a live lease hold; returns the queues and how many.
   *
   * @param thorough Look through all that runs, also when no node was lost lately. The default.
   */
  rescue(thorough?: boolean): Promise<{ queues: string[]; rescued: number }>;
  /** Make partitions ahead and drop what is older than the retention. */
  prune(retentionDays: number): Promise<Pruned>;

  /**
   * Write schedules as they are configured; one that is there keeps its next tick unless its rhythm is another. What a
   * person paused stays paused; what the configuration paused goes on from now when it is enabled there. `now` is the
   * database's.
   */
  putSchedules(
    rows: ScheduleSettings[],
    first: (row: ScheduleRow, now: Date) => Date | null,
  ): Promise<void>;
  /** Those of the cluster, then what live nodes tick by themselves; when these tick next is theirs to know. */
  schedules(): Promise<ScheduleRow[]>;
  /** Pause or resume, as a person wants it; false when the cluster has no such schedule. `now` is the database's. */
  enableSchedule(
    name: string,
    enabled: boolean,
    next: (row: ScheduleRow, now: Date) => Date | null,
  ): Promise<boolean>;
  /** Publish what is due, as the plan says, each schedule under its lock; seconds until the next tick. */
  tick(
    plan: (row: ScheduleRow, now: Date) => { envelopes: Sealed[]; next: Date | null },
  ): Promise<{ queues: string[]; next: number | null }>;

  list(filter: EnvelopeFilter): Promise<EnvelopeRow[]>;
  /** Entries of the broadcast log whose uuids begin so, whether nodes have copies of them or not. */
  broadcasts(prefix: string, limit: number): Promise<EnvelopeRow[]>;
  /** States and outcomes of the given uuids, cheaply: for those who wait. */
  outcomes(uuids: string[]): Promise<Map<string, Pick<EnvelopeRow, "state" | "result" | "error">>>;
  queues(): Promise<QueueRow[]>;
  nodes(): Promise<NodeRow[]>;
  cancel(uuids: string[]): Promise<Cancelled[]>;
  /** What a filter finds in the order of the uuids, behind the last one of the page before. */
  matching(filter: EnvelopeFilter, after?: string): Promise<{ uuid: string; state: State }[]>;
  /** Work that could run now, in these queues, and what an instance holds, if one is given. */
  waiting(queues: string[], instance?: string): Promise<number>;

  close(): Promise<void>;
}
