/**
 * Traces of a node: whether they are wanted, by the OTEL_* environment. The SDK is loaded only then.
 *
 * @module
 */
import process from "node:process";
import type { TracerProvider } from "@opentelemetry/api";
import type { Events } from "./events.ts";
import type { Claimed } from "./store/store.ts";

/** What a node that traces is. */
export interface TracingParts {
  node: string;
  instance: string;
  runtime: string;
  events: Events;
}

/** The traces of one node. */
export interface Tracing {
  /** For what the node itself publishes. */
  readonly tracers: TracerProvider;
  /** What was claimed by a statement that was sent at that time: its tasks can go on with the trace. */
  claimed(claimed: Claimed[], sentAt: number): void;
  /** Export what is left. */
  stop(): Promise<void>;
}

type Env = Readonly<Record<string, string | undefined>>;

/** Where spans go, as OTEL_TRACES_EXPORTER says; `none` where nobody has said anything. */
export function exporterOf(env: Env): "otlp" | "console" | "none" {
  if (env.OTEL_SDK_DISABLED?.toLowerCase() === "true") return "none";
  const named = env.OTEL_TRACES_EXPORTER?.trim().toLowerCase();
  if (named === "none" || named === "console") return named;
  const given = env.OTEL_EXPORTER_OTLP_ENDPOINT || env.OTEL_EXPORTER_OTLP_TRACES_ENDPOINT;
  return named || given ? "otlp" : "none";
}

/** Begin to trace, if the environment wants it. */
export async function startTracing(
  parts: TracingParts,
  env: Env = process.env,
): Promise<Tracing | undefined> {
  const exporter = exporterOf(env);
  if (exporter === "none") return undefined;
  const { openTracing }: typeof import("./tracing_sdk.ts") = await import("./tracing_sdk.ts" as string);
  return openTracing(parts, exporter, env);
}
