/**
 * The store as a person would explain it: plain objects in memory, one thing after the other. It is compared with the
 * real one after every step, so it must stay simpler than that: no clock (a row is due at once, later, or never) and
 * no locks.
 */
import type { Sealed } from "../../../runtime/envelope.ts";
import type { Cancelled, Put, Settlement, Token } from "../../../runtime/store/store.ts";
import { copyUuid } from "../../../runtime/uuid.ts";
import type { FinalRow, LiveRow } from "./observe.ts";

export type Due = "now" | "later" | null;

/** A row of the hot table. `seq` is its place in the order of writing. */
export interface Live extends LiveRow {
  seq: number;
  priority: number;
  key: string | null;
}

export interface ModelNode {
  name: string;
  instance: string;
  state: "running" | "stopped" | "lost";
  leased: boolean;
  /** Broadcasts before this one are not for it. */
  since: number;
}

interface Cast {
  envelope: Sealed;
  delivered: Set<string>;
}

const FINAL = ["completed", "cancelled", "discarded"];

export class Model {
  readonly live = new Map<string, Live>();
  readonly archive = new Map<string, FinalRow>();
  readonly nodes = new Map<string, ModelNode>();
  readonly paused = new Set<string>();
  /** Who has said that it is free, by instance. */
  readonly onCall = new Map<string, { name: string; queues: string[] }>();
  readonly casts: Cast[] = [];
  readonly adopted = new Set<string>();
  /** Every claim that was ever made, by whom: what a late worker may still settle. */
  readonly tokens: (Token & { instance: string; node: string })[] = [];
  /** Every uuid that was ever published or copied. */
  readonly uuids: string[] = [];
  #seq = 0;

  publish(batch: Sealed[]): Put[] {
    const order = (e: Sealed) => `${e.queue}\n${e.task}\n${e.args}\n${e.kwargs}`;
    const unique = batch.filter((e) => e.unique && e.queue !== "broadcast");
    const puts = new Map<Sealed, Put>();
    for (const e of batch.filter((e) => !e.unique && e.queue !== "broadcast")) {
      puts.set(e, this.#publishOne(e));
    }
    for (const e of batch.filter((e) => e.queue === "broadcast")) puts.set(e, this.#cast(e));
    const sorted = unique.toSorted((a, b) => order(a) < order(b) ? -1 : order(a) > order(b) ? 1 : 0);
    for (const e of sorted) puts.set(e, this.#publishOne(e));
    return batch.map((e) => puts.get(e)!);
  }

  #publishOne(e: Sealed): Put {
    const got = this.put(e, e.queue, null, null);
    if (got === e.uuid && e.ownUuid && this.#isKnown(e.uuid)) {
      this.live.delete(e.uuid);
      return { isNew: false, duplicateOf: null };
    }
    return { isNew: got === e.uuid, duplicateOf: got === e.uuid ? null : got };
  }

  #cast(envelope: Sealed): Put {
    const { uuid } = envelope;
    const isNew = !this.#isKnown(uuid) && !(envelope.ownUuid && this.live.has(uuid));
    if (isNew) {
      this.casts.push({ envelope, delivered: new Set() });
      this.uuids.push(uuid);
    }
    return { isNew, duplicateOf: null };
  }

  /** Whether a uuid was an envelope's or is in the log of broadcasts. */
  #isKnown(uuid: string): boolean {
    return this.archive.has(uuid) || this.casts.some((cast) => cast.envelope.uuid === uuid);
  }

  /** Write one envelope; its uuid, that of the one it is a duplicate of, or null when it is there already. */
  put(e: Sealed, queue: string, origin: string | null, adopter: string | null, uuid = e.uuid): string | null {
    if (this.live.has(uuid)) return null;
    const mode = (JSON.parse(e.options) as { on_duplicate?: string }).on_duplicate ?? "parallel";
    const due: Due = e.delay === null || e.delay === 0 ? null : "later";
    const key = mode === "parallel" ? null : [queue, e.task, e.args, e.kwargs].join("\n");
    const equal = [...this.live.values()].filter((row) => key !== null && row.key === key);
    if (mode === "discard" && equal.length > 0) return equal[0].uuid;
    const waiting = equal.find((row) => row.state !== "running");
    if (mode === "queue_one" && waiting) return waiting.uuid;
    const blocked = key !== null && (equal.length > 0 || due !== null);
    this.live.set(uuid, {
      uuid,
      seq: ++this.#seq,
      priority: e.priority,
      key,
      queue,
      origin,
      adopter,
      state: blocked || due ? "scheduled" : "available",
      attempt: 0,
      fence: 0,
      blocked,
      due,
      solo: false,
      keyed: key !== null,
      node: null,
      instance: null,
      cancel: false,
      progress: null,
      error: null,
      attempts: [],
    });
    this.uuids.push(uuid);
    return uuid;
  }

  /** Settle; the uuids that were not stale. */
  settle(instance: string, settlements: Settlement[]): string[] {
    return settlements.filter((s) => {
      const row = this.live.get(s.uuid);
      if (!row || row.state !== "running" || row.fence !== s.fence || row.instance !== instance) return false;
      if (s.record !== null) row.attempts.push((JSON.parse(s.record) as { outcome: string }).outcome);
      row.progress = s.progress ?? row.progress;
      if (FINAL.includes(s.outcome) || row.cancel) {
        const state = FINAL.includes(s.outcome) ? s.outcome : "cancelled";
        row.error = s.error ?? (s.outcome === "completed" ? null : row.error);
        this.#end(row, state, s.result);
        return true;
      }
      row.error = s.error ?? row.error;
      row.solo ||= s.solo;
      if (s.outcome === "released") row.attempt--;
      this.#free(row, s.outcome === "retry" ? "retryable" : "available");
      row.due = s.outcome === "retry" ? (s.delay === 0 ? "now" : "later") : null;
      return true;
    }).map((s) => s.uuid);
  }

  /** Claim by priority and age of what was available `before` this statement. */
  claim(node: ModelNode, queues: string[], limit: number, before: Live[]): Live[] {
    const holder = this.nodes.get(node.name);
    // Who has lost its name or has been given up gets nothing.
    if (holder && (holder.instance !== node.instance || holder.state !== "running")) return [];
    const open = before.filter((row) => queues.includes(row.queue) && !this.paused.has(row.queue));
    const taken = open.sort(byPriority).slice(0, limit);
    for (const row of taken) {
      Object.assign(row, {
        state: "running",
        attempt: row.attempt + 1,
        fence: row.fence + 1,
        progress: null,
      });
      Object.assign(row, { node: node.name, instance: node.instance });
      this.tokens.push({ uuid: row.uuid, fence: row.fence, instance: node.instance, node: node.name });
    }
    return taken;
  }

  /** Instances to which what is published alone to a queue may be handed. */
  takers(queue: string): string[] {
    if (this.paused.has(queue) || this.available().some((row) => row.queue === queue)) return [];
    return [...this.onCall].filter(([instance, { name, queues }]) => {
      const node = this.nodes.get(name);
      return queues.includes(queue) && node?.instance === instance && node.state === "running" && node.leased;
    }).map(([instance]) => instance);
  }

  /** Publish one, and have that instance take it. */
  hand(e: Sealed, instance: string | null): void {
    this.put(e, e.queue, null, null);
    if (instance === null) return;
    const { name } = this.onCall.get(instance)!;
    this.onCall.delete(instance);
    const row = this.live.get(e.uuid)!;
    Object.assign(row, { state: "running", attempt: 1, fence: 1, node: name, instance });
    this.tokens.push({ uuid: e.uuid, fence: 1, instance, node: name });
  }

  available(): Live[] {
    return [...this.live.values()].filter((row) => row.state === "available");
  }

  #free(row: Live, state: string): void {
    Object.assign(row, { state, node: null, instance: null });
  }

  #end(row: Live, state: string, result: string | null): void {
    this.live.delete(row.uuid);
    const { uuid, queue, origin, attempt, node, progress, error, attempts } = row;
    this.archive.set(uuid, { uuid, queue, origin, state, attempt, node, progress, error, attempts, result });
  }

  cancel(uuids: string[]): Cancelled[] {
    return uuids.flatMap((uuid): Cancelled[] => {
      const row = this.live.get(uuid);
      if (row?.state === "running") {
        row.cancel = true;
        return [{ uuid, did: "requested", node: row.node }];
      }
      if (row) {
        this.#end(row, "cancelled", null);
        return [{ uuid, did: "cancelled", node: null }];
      }
      const ended = this.archive.get(uuid);
      return ended ? [{ uuid, did: ended.state as Cancelled["did"], node: ended.node }] : [];
    });
  }

  /** What is due goes, and of each key without a head the next; the queues that have work now. */
  stage(): Set<string> {
    const queues = new Set<string>();
    const go = (row: Live) => {
      Object.assign(row, { state: "available", due: null, blocked: false });
      queues.add(row.queue);
    };
    for (const row of this.live.values()) if (row.due === "now" && !row.blocked) go(row);
    for (const key of new Set([...this.live.values()].map((row) => row.key))) {
      const equal = [...this.live.values()].filter((row) => key !== null && row.key === key);
      if (equal.some((row) => !row.blocked)) continue;
      const next = equal.filter((row) => row.due !== "later").sort(byPriority)[0];
      if (next) go(next);
    }
    return queues;
  }

  /** What is due later is due now. */
  pass(): void {
    for (const row of this.live.values()) if (row.due === "later") row.due = "now";
  }

  reconcile(instance: string, held: Token[]): string[] {
    const given = [...this.live.values()].filter((row) =>
      row.instance === instance && !held.some(({ uuid, fence }) => uuid === row.uuid && fence === row.fence)
    );
    for (const row of given) {
      row.attempt--;
      this.#free(row, "available");
      if (row.cancel) this.#end(row, "cancelled", null);
    }
    return given.map(({ uuid }) => uuid);
  }

  progress(instance: string, token: Token, text: string): boolean {
    const row = this.live.get(token.uuid);
    const ours = row?.state === "running" && row.fence === token.fence && row.instance === instance;
    if (ours) row.progress = text;
    return ours ?? false;
  }

  /** Whether it got the name. */
  register(name: string, instance: string): boolean {
    const holder = this.nodes.get(name);
    if (holder?.state === "running" && holder.leased) return false;
    const since = holder?.since ?? this.casts.length;
    this.nodes.set(name, { name, instance, state: "running", leased: true, since });
    this.rescue();
    return true;
  }

  unregister(node: ModelNode): void {
    Object.assign(node, { state: "stopped", leased: false });
    this.rescue();
  }

  rescue(): { queues: Set<string>; rescued: number } {
    for (const node of this.nodes.values()) if (node.state === "running" && !node.leased) node.state = "lost";
    const alive = new Set(
      [...this.nodes.values()].filter((n) => n.state === "running").map((n) => n.instance),
    );
    const queues = new Set<string>();
    let rescued = 0;
    for (const row of this.live.values()) {
      if (row.state !== "running" || alive.has(row.instance!)) continue;
      if (row.cancel) {
        this.#end(row, "cancelled", null);
        continue;
      }
      row.attempts.push("released");
      row.attempt--;
      this.#free(row, "available");
      queues.add(row.queue);
      rescued++;
    }
    return { queues, rescued };
  }

  /** Copy to a node what it has not had; how many broadcasts. */
  deliver(name: string): number {
    const node = this.nodes.get(name);
    const due = node ? this.casts.slice(node.since).filter((cast) => !cast.delivered.has(name)) : [];
    for (const { envelope, delivered } of due) {
      delivered.add(name);
      this.put(envelope, name, envelope.uuid, null, copyUuid(envelope.uuid, name));
    }
    return due.length;
  }

  /** Make a row of a message from the wire; whether this node took it. */
  adopt(name: string, e: Sealed): number {
    if (this.adopted.has(e.uuid)) return 0;
    this.adopted.add(e.uuid);
    if (this.put(e, e.queue, null, name) !== e.uuid) return 0;
    if (!this.#isKnown(e.uuid)) return 1;
    this.live.delete(e.uuid);
    return 0;
  }
}

function byPriority(a: Live, b: Live): number {
  return a.priority - b.priority || a.seq - b.seq;
}
