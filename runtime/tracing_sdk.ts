/**
 * The OpenTelemetry SDK of a node, set up as the OTEL_* environment says. Spans go out in batches as OTLP over HTTP, in
 * JSON; the exporter reads its own variables (endpoint, headers, timeout, compression).
 *
 * @module
 */
import process from "node:process";
import { hostname } from "node:os";
import { OTLPTraceExporter } from "@opentelemetry/exporter-trace-otlp-http";
import {
  defaultResource,
  detectResources,
  envDetector,
  resourceFromAttributes,
} from "@opentelemetry/resources";
import {
  AlwaysOffSampler,
  AlwaysOnSampler,
  BatchSpanProcessor,
  ConsoleSpanExporter,
  type IdGenerator,
  ParentBasedSampler,
  RandomIdGenerator,
  type Sampler,
  type SpanExporter,
  TraceIdRatioBasedSampler,
  TracerProvider,
} from "@opentelemetry/sdk-trace";
import { errorLine } from "./errors.ts";
import type { Events } from "./events.ts";
import { NodeSpans, type SpanIds } from "./node_spans.ts";
import { SCOPE } from "./publish_span.ts";
import type { Tracing, TracingParts } from "./tracing.ts";
import { VERSION } from "./version.ts";

type Env = Readonly<Record<string, string | undefined>>;

/** What a drain waits for the last spans. */
const FLUSH_MS = 3_000;

/** Begin to trace. */
export function openTracing(parts: TracingParts, to: "otlp" | "console", env: Env): Tracing {
  const { events } = parts;
  const protocol = env.OTEL_EXPORTER_OTLP_TRACES_PROTOCOL ?? env.OTEL_EXPORTER_OTLP_PROTOCOL ?? "http/json";
  if (to === "otlp" && protocol !== "http/json") {
    events.emit("warning", "traces.protocol", `Traces are sent as http/json, not as ${protocol}`);
  }
  const exporter = to === "console" ? new ConsoleSpanExporter() : new OTLPTraceExporter();
  const ids = new ReservedIds();
  const provider = new TracerProvider({
    sampler: samplerOf(env, events),
    resource: resourceOf(parts),
    idGenerator: ids,
    spanProcessors: [
      new BatchSpanProcessor({ exporter: new Telling(exporter, events), ...batchOf(env) }),
    ],
  });
  const spans = new NodeSpans({ tracer: provider.getTracer(SCOPE, VERSION), ids, node: parts.node });
  const unsubscribe = spans.subscribe(events);
  return {
    tracers: provider,
    claimed(claimed, sentAt) {
      try {
        spans.claimed(claimed, sentAt);
      } catch (error) {
        // What only watches must not hold up what it watches.
        events.emit("error", "traces.failed", `Claims are not in the traces: ${errorLine(error)}`);
      }
    },
    async stop() {
      unsubscribe();
      let timer: ReturnType<typeof setTimeout> | undefined;
      const bound = new Promise<void>((resolve) => timer = setTimeout(resolve, FLUSH_MS));
      await Promise.race([provider.shutdown().catch(() => {}), bound]);
      clearTimeout(timer);
    },
  };
}

/** The environment's word goes before ours. Arguments of the process are left out: they may have a password. */
function resourceOf({ node, instance, runtime }: TracingParts) {
  const ours = resourceFromAttributes({
    "service.name": SCOPE,
    "service.version": VERSION,
    "service.instance.id": instance,
    "host.name": hostname(),
    "process.pid": process.pid,
    "process.runtime.name": runtime,
    "dispatcher.node": node,
  });
  return defaultResource().merge(ours).merge(detectResources({ detectors: [envDetector] }));
}

/** OTEL_TRACES_SAMPLER and its argument; what a publisher has decided goes before unless it says otherwise. */
export function samplerOf(env: Env, events: Pick<Events, "emit">): Sampler {
  const name = env.OTEL_TRACES_SAMPLER || "parentbased_always_on";
  const given = env.OTEL_TRACES_SAMPLER_ARG || "1";
  const ratio = Number(given);
  const roots: Record<string, (() => Sampler) | undefined> = {
    always_on: () => new AlwaysOnSampler(),
    always_off: () => new AlwaysOffSampler(),
    traceidratio: () => new TraceIdRatioBasedSampler(ratio >= 0 && ratio <= 1 ? ratio : 1),
  };
  const root = roots[name.replace(/^parentbased_/, "")];
  if (root === undefined || !(ratio >= 0 && ratio <= 1)) {
    const what = root ? `OTEL_TRACES_SAMPLER_ARG "${given}"` : `OTEL_TRACES_SAMPLER "${name}"`;
    events.emit("warning", "traces.sampler", `Cannot use ${what}: every trace is sampled`);
  }
  const sampler = root?.() ?? new AlwaysOnSampler();
  return name.startsWith("parentbased_") || !root ? new ParentBasedSampler({ root: sampler }) : sampler;
}

function batchOf(env: Env): Record<string, number> {
  const settings = {
    maxQueueSize: env.OTEL_BSP_MAX_QUEUE_SIZE,
    maxExportBatchSize: env.OTEL_BSP_MAX_EXPORT_BATCH_SIZE,
    scheduledDelayMillis: env.OTEL_BSP_SCHEDULE_DELAY,
    exportTimeoutMillis: env.OTEL_BSP_EXPORT_TIMEOUT,
  };
  const read = Object.entries(settings).map(([key, text]) => [key, Number(text)] as const);
  return Object.fromEntries(read.filter(([, value]) => Number.isFinite(value) && value > 0));
}

/** Ids that can be known before their span is made: a task is told the id of the span that is written when it ends. */
export class ReservedIds implements IdGenerator, SpanIds {
  readonly #random = new RandomIdGenerator();
  #next: string | undefined;

  generateTraceId(): string {
    return this.#random.generateTraceId();
  }

  generateSpanId(): string {
    const id = this.#next ?? this.#random.generateSpanId();
    this.#next = undefined;
    return id;
  }

  reserve(): string {
    return this.#random.generateSpanId();
  }

  use(id: string): void {
    this.#next = id;
  }
}

/** Says once that spans do not arrive, and once that they do again. */
class Telling implements SpanExporter {
  readonly #exporter: SpanExporter;
  readonly #events: Events;
  #failing = false;

  constructor(exporter: SpanExporter, events: Events) {
    this.#exporter = exporter;
    this.#events = events;
  }

  export(...[spans, done]: Parameters<SpanExporter["export"]>): void {
    this.#exporter.export(spans, (result) => {
      const failed = result.code !== 0;
      if (failed && !this.#failing) {
        const why = result.error ? errorLine(result.error) : "the exporter does not say why";
        this.#events.emit("warning", "traces.lost", `Traces are not taken: ${why}`);
      } else if (!failed && this.#failing) this.#events.emit("info", "traces.up", "Traces are taken again");
      this.#failing = failed;
      done(result);
    });
  }

  async shutdown(): Promise<void> {
    await this.#exporter.shutdown();
  }

  async forceFlush(): Promise<void> {
    await this.#exporter.forceFlush?.();
  }
}
