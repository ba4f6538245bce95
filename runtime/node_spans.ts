/**
 * The spans of a node: claim, process, settle, by the conventions for messaging.
 *
 * ```text
 *  publish (the publisher's process) ─┬─ claim      the statement that claimed it
 *                                     ├─ process ── settle      from start to end; the statement that settled it
 *                                     └┄┄link┄┄┘
 * ```
 * Whoever publishes without a trace leaves its beginning to the claim. A task is told the id of its process span, which
 * is only written when it has ended, so that what it does becomes a child of it (`context.traceparent`).
 *
 * @module
 */
import {
  type Attributes,
  type Context,
  ROOT_CONTEXT,
  SpanKind,
  trace,
  TraceFlags,
  type Tracer,
} from "@opentelemetry/api";
import type { ErrorRecord } from "./errors.ts";
import type { AttemptEvent, Events, SettleEvent } from "./events.ts";
import { errorStatus, messagingAttributes } from "./publish_span.ts";
import type { Claimed } from "./store/store.ts";
import { traceparentOf, withTraceparent, writeTraceparent } from "./traceparent.ts";

/** Gives ids of spans in advance. */
export interface SpanIds {
  reserve(): string;
  /** The span that is started next has this one. */
  use(id: string): void;
}

/** What the spans are made with. */
export interface NodeSpansParts {
  tracer: Tracer;
  ids: SpanIds;
  node: string;
}

/** A sampled attempt that has not ended. */
interface Open {
  parent: Context;
  /** Whether a publisher began the trace. */
  remote: boolean;
  span: string;
}

/** Sampled attempts that are kept in mind; what has lost its end gives way. */
const MOST = 20_000;

/** Makes the spans of one node. */
export class NodeSpans {
  readonly #parts: NodeSpansParts;
  readonly #open = new Map<string, Open>();
  // Ended, and not settled yet.
  readonly #ended = new Map<string, { context: Context; attributes: Attributes; queue: string }>();

  constructor(parts: NodeSpansParts) {
    this.#parts = parts;
  }

  /** Hear how attempts end and are settled; the returned function ends it. */
  subscribe(events: Events): () => void {
    const ends = [
      events.attempts.on((event) => this.#process(event)),
      events.settles.on((event) => this.#settle(event)),
    ];
    return () => ends.forEach((end) => end());
  }

  /** Claimed by a statement that was sent at `sentAt` (since 1970) and is answered now. */
  claimed(claimed: Claimed[], sentAt: number): void {
    for (const one of claimed) this.#claim(one, sentAt);
  }

  #claim(claimed: Claimed, startTime: number): void {
    const { tracer, ids } = this.#parts;
    const { uuid, queue, options } = claimed;
    const remote = traceparentOf(options);
    const creation = remote && trace.setSpanContext(ROOT_CONTEXT, { ...remote, isRemote: true });
    const span = tracer.startSpan(`claim ${queue}`, {
      kind: SpanKind.CLIENT,
      startTime,
      attributes: this.#attributes("claim", queue, claimed),
      links: linksTo(creation),
    }, creation ?? ROOT_CONTEXT);
    span.end();
    const { traceId, traceFlags } = span.spanContext();
    if ((traceFlags & TraceFlags.SAMPLED) === 0) return;
    const spanId = ids.reserve();
    claimed.options = withTraceparent(options, writeTraceparent({ traceId, spanId, traceFlags }));
    const parent = creation ?? trace.setSpan(ROOT_CONTEXT, span);
    keep(this.#open, uuid, { parent, remote: creation !== undefined, span: spanId });
  }

  #process(event: AttemptEvent): void {
    const { uuid, queue, started, outcome, worker, error } = event;
    const open = this.#open.get(uuid);
    this.#open.delete(uuid);
    if (!open || started === null) return;
    const { tracer, ids } = this.#parts;
    const attributes = this.#attributes("process", queue, event);
    ids.use(open.span);
    const span = tracer.startSpan(`process ${queue}`, {
      kind: SpanKind.CONSUMER,
      startTime: started,
      attributes: { ...attributes, "dispatcher.outcome": outcome, "dispatcher.worker": worker ?? "" },
      links: open.remote ? linksTo(open.parent) : [],
    }, open.parent);
    if (error !== null && (outcome === "retry" || outcome === "discarded")) {
      const wrong = errorStatus(JSON.parse(error) as ErrorRecord);
      span.setAttributes(wrong.attributes);
      span.setStatus(wrong.status);
    }
    span.end(event.at);
    const settling = this.#attributes("settle", queue, event);
    const context = trace.setSpan(ROOT_CONTEXT, span);
    keep(this.#ended, uuid, {
      context,
      attributes: { ...settling, "dispatcher.outcome": outcome },
      queue,
    });
  }

  #settle({ settled, started, at }: SettleEvent): void {
    if (this.#ended.size === 0) return;
    for (const uuid of settled) {
      const ended = this.#ended.get(uuid);
      if (!ended) continue;
      this.#ended.delete(uuid);
      const { context, attributes, queue } = ended;
      const how = { kind: SpanKind.CLIENT, startTime: started, attributes };
      this.#parts.tracer.startSpan(`settle ${queue}`, how, context).end(at);
    }
  }

  #attributes(
    operation: "claim" | "process" | "settle",
    queue: string,
    { uuid, origin, task, attempt, options }: Pick<
      Claimed,
      "uuid" | "origin" | "task" | "attempt" | "options"
    >,
  ): Attributes {
    const { guid } = options.includes('"guid"') ? JSON.parse(options) : {};
    return {
      ...messagingAttributes(operation, queue),
      "messaging.message.id": origin ?? uuid,
      ...(typeof guid === "string" ? { "messaging.message.conversation_id": guid } : {}),
      "messaging.client.id": this.#parts.node,
      "dispatcher.task": task,
      "dispatcher.attempt": attempt,
    };
  }
}

function linksTo(context: Context | undefined) {
  const to = context && trace.getSpanContext(context);
  return to ? [{ context: to }] : [];
}

function keep<T>(all: Map<string, T>, key: string, value: T): void {
  if (all.size >= MOST) all.delete(all.keys().next().value!);
  all.set(key, value);
}
