/**
 * The span of a publisher. It costs nothing where no OpenTelemetry SDK is registered in the process; where one is, the
 * span is a child of the active one, and the envelopes take its context along.
 *
 * The SDK is found by the place where the API puts it, not by importing the API: that one answers with spans that do
 * nothing when it is newer than the one the SDK was registered with.
 *
 * @module
 */
import type { Context, SpanContext, SpanOptions, TracerProvider } from "@opentelemetry/api";
import { type ErrorRecord, errorRecord } from "./errors.ts";
import type { Sealed } from "./envelope.ts";
import { readTraceparent, traceparentOf, withTraceparent, writeTraceparent } from "./traceparent.ts";
import { VERSION } from "./version.ts";

const API = Symbol.for("opentelemetry.js.api.1");
/** As the API has them; importing it for two numbers would cost each publisher its start. */
const PRODUCER = 3;
const ERROR = 2;
/** The scope of all spans. */
export const SCOPE = "edge-dispatcher";

/** What makes tracers in this process, if anything does. */
export function registeredTracers(): TracerProvider | undefined {
  return (globalThis as { [API]?: { trace?: TracerProvider } })[API]?.trace;
}

/** Attributes by the conventions for messaging. */
export function messagingAttributes(
  operation: "publish" | "claim" | "process" | "settle",
  queue: string,
): Record<string, string> {
  const types = { publish: "send", claim: "receive", process: "process", settle: "settle" };
  return {
    "messaging.system": SCOPE,
    "messaging.destination.name": queue,
    "messaging.operation.name": operation,
    "messaging.operation.type": types[operation],
  };
}

/**
 * Status and kind of what went wrong. Not its message: that is the task's, may name what it was given, and traces go
 * elsewhere.
 */
export function errorStatus({ name }: Pick<ErrorRecord, "name">) {
  return { attributes: { "error.type": name }, status: { code: ERROR, message: name } };
}

/**
 * Publish envelopes within a span, each with its context. An envelope that has a traceparent already goes on with that
 * one: it is the parent then.
 */
export async function publishSpan<T>(
  tracers: TracerProvider,
  envelopes: Sealed[],
  publish: (envelopes: Sealed[]) => Promise<T>,
): Promise<T> {
  if (envelopes.length === 0) return await publish(envelopes);
  const [{ queue, uuid, task, options }] = envelopes;
  const attributes = {
    ...messagingAttributes("publish", queue),
    ...(envelopes.length === 1
      ? { "messaging.message.id": uuid, "dispatcher.task": task }
      : { "messaging.batch.message_count": envelopes.length }),
  };
  const how: SpanOptions = { kind: PRODUCER, attributes };
  const tracer = tracers.getTracer(SCOPE, VERSION);
  const parent = traceparentOf(options);
  // Without a parent the active span is it: nothing may be awaited before.
  const span = parent
    ? tracer.startSpan(`publish ${queue}`, how, await contextOf({ ...parent, isRemote: true }))
    : tracer.startSpan(`publish ${queue}`, how);
  try {
    const text = writeTraceparent(span.spanContext());
    if (!readTraceparent(text)) return await publish(envelopes);
    return await publish(envelopes.map((e) => ({ ...e, options: withTraceparent(e.options, text) })));
  } catch (error) {
    const { attributes, status } = errorStatus(errorRecord(error));
    span.setAttributes(attributes);
    span.setStatus(status);
    throw error;
  } finally {
    span.end();
  }
}

async function contextOf(parent: SpanContext): Promise<Context> {
  const { ROOT_CONTEXT, trace } = await import("@opentelemetry/api");
  return trace.setSpanContext(ROOT_CONTEXT, parent);
}
