/**
 * Where a trace goes on: the W3C traceparent, as it travels in the options of an envelope.
 *
 * @module
 */

/** What a traceparent says. */
export interface TraceParent {
  /** 32 hexadecimal digits. */
  traceId: string;
  /** 16. */
  spanId: string;
  /** The lowest bit: sampled. */
  traceFlags: number;
}

export const TRACEPARENT: RegExp = /^([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})$/;

/** Read a traceparent; undefined for a text that is none, or that names nothing. */
export function readTraceparent(text: unknown): TraceParent | undefined {
  const match = typeof text === "string" ? TRACEPARENT.exec(text) : null;
  if (!match) return undefined;
  const [, version, traceId, spanId, flags] = match;
  if (version === "ff" || /^0+$/.test(traceId) || /^0+$/.test(spanId)) return undefined;
  return { traceId, spanId, traceFlags: parseInt(flags, 16) };
}

/** Write one. */
export function writeTraceparent({ traceId, spanId, traceFlags }: TraceParent): string {
  return `00-${traceId}-${spanId}-${(traceFlags & 0xff).toString(16).padStart(2, "0")}`;
}

/** The traceparent in the options of an envelope, given as JSON text. */
export function traceparentOf(options: string): TraceParent | undefined {
  // Most have none, and nobody should parse for it.
  return options.includes('"traceparent"') ? readTraceparent(JSON.parse(options).traceparent) : undefined;
}

/** The same as it travels. */
export function traceparentText(options: string): string | undefined {
  const found = traceparentOf(options);
  return found && writeTraceparent(found);
}

/** Options with another traceparent. */
export function withTraceparent(options: string, traceparent: string): string {
  if (options.includes('"traceparent"')) return JSON.stringify({ ...JSON.parse(options), traceparent });
  return options === "{}"
    ? `{"traceparent":"${traceparent}"}`
    : `${options.slice(0, -1)},"traceparent":"${traceparent}"}`;
}
