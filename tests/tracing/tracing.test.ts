import assert from "node:assert/strict";
import process from "node:process";
import { InMemorySpanExporter, SimpleSpanProcessor, TracerProvider } from "@opentelemetry/sdk-trace";
import { attemptEvent } from "../../runtime/dispatch/attempt_log.ts";
import { seal } from "../../runtime/envelope.ts";
import { Events } from "../../runtime/events.ts";
import { NodeSpans } from "../../runtime/node_spans.ts";
import { publishSpan, registeredTracers } from "../../runtime/publish_span.ts";
import {
  readTraceparent,
  traceparentText,
  withTraceparent,
  writeTraceparent,
} from "../../runtime/traceparent.ts";
import { exporterOf, startTracing } from "../../runtime/tracing.ts";
import { ReservedIds, samplerOf } from "../../runtime/tracing_sdk.ts";
import { claimed, finished } from "../conformance/make.ts";
import { eventually, test } from "../harness.ts";

const PARENT = "00-0123456789abcdef0123456789abcdef-0123456789abcdef-01";

/** A provider whose spans the test reads. */
function recording() {
  const exporter = new InMemorySpanExporter();
  const ids = new ReservedIds();
  const provider = new TracerProvider({
    idGenerator: ids,
    spanProcessors: [new SimpleSpanProcessor({ exporter })],
  });
  return { provider, ids, spans: () => exporter.getFinishedSpans() };
}

test("a traceparent is read as W3C has it, and what is none is none", () => {
  assert.equal(writeTraceparent(readTraceparent(PARENT)!), PARENT);
  const bad = [
    "",
    "x",
    PARENT.slice(1),
    PARENT.toUpperCase(),
    PARENT.replace("00-", "ff-"),
    `${PARENT}\n`,
    7,
    null,
  ];
  bad.push(
    `00-${"0".repeat(32)}-0123456789abcdef-01`,
    `00-0123456789abcdef0123456789abcdef-${"0".repeat(16)}-01`,
  );
  for (const text of bad) assert.equal(readTraceparent(text), undefined, JSON.stringify(text));
});

test("options keep the rest when they get a traceparent", () => {
  for (const options of ["{}", '{"guid":"g"}', `{"traceparent":"old","guid":"g"}`]) {
    const after = withTraceparent(options, PARENT);
    assert.deepEqual(JSON.parse(after), { ...JSON.parse(options), traceparent: PARENT });
    assert.equal(traceparentText(after), PARENT);
  }
});

test("seal() takes a traceparent, and refuses what is none", () => {
  assert.equal(traceparentText(seal("a", [], { traceparent: PARENT }).options), PARENT);
  assert.throws(
    () => seal("a", [], { traceparent: "mine" }),
    /traceparent "mine": it is not a W3C traceparent/,
  );
});

const WHERE: [env: Record<string, string>, to: string][] = [
  [{}, "none"],
  [{ OTEL_EXPORTER_OTLP_ENDPOINT: "http://c" }, "otlp"],
  [{ OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: "http://c" }, "otlp"],
  [{ OTEL_TRACES_EXPORTER: "otlp" }, "otlp"],
  [{ OTEL_TRACES_EXPORTER: "console" }, "console"],
  [{ OTEL_TRACES_EXPORTER: "none", OTEL_EXPORTER_OTLP_ENDPOINT: "http://c" }, "none"],
  [{ OTEL_SDK_DISABLED: "true", OTEL_EXPORTER_OTLP_ENDPOINT: "http://c" }, "none"],
];

test("a node traces when the environment says where to", () => {
  for (const [env, to] of WHERE) assert.equal(exporterOf(env), to, JSON.stringify(env));
});

test("the sampler is the environment's; one that does not exist is warned of", () => {
  const said: string[] = [];
  const events = { emit: (_level: string, _name: string, text: string) => void said.push(text) };
  const name = (OTEL_TRACES_SAMPLER: string, OTEL_TRACES_SAMPLER_ARG?: string) =>
    samplerOf({ OTEL_TRACES_SAMPLER, OTEL_TRACES_SAMPLER_ARG }, events).toString();
  assert.match(name(""), /^ParentBased\{root=AlwaysOn/);
  assert.match(name("always_off"), /^AlwaysOff/);
  assert.match(name("traceidratio", "0.25"), /^TraceIdRatioBased\{0.25\}/);
  assert.match(name("parentbased_traceidratio", "0.25"), /^ParentBased\{root=TraceIdRatioBased\{0.25\}/);
  assert.equal(said.length, 0);
  assert.match(name("sometimes"), /^ParentBased\{root=AlwaysOn/);
  assert.match(name("traceidratio", "lots"), /^TraceIdRatioBased\{1\}/);
  assert.deepEqual(said, [
    'Cannot use OTEL_TRACES_SAMPLER "sometimes": every trace is sampled',
    'Cannot use OTEL_TRACES_SAMPLER_ARG "lots": every trace is sampled',
  ]);
});

test("a publisher without an SDK makes no span", () => {
  assert.equal(registeredTracers(), undefined);
});

test("publishSpan() gives each envelope of a batch its context, and says what failed by its kind alone", async () => {
  const { provider, spans } = recording();
  const batch = [seal("a", []), seal("b", [], { guid: "g" })];
  const sent = await publishSpan(provider, batch, (envelopes) => Promise.resolve(envelopes));
  const [span] = spans();
  assert.equal(span.attributes["messaging.batch.message_count"], 2);
  for (const { options } of sent) {
    assert.equal(traceparentText(options), writeTraceparent(span.spanContext()));
  }
  const fails = publishSpan(provider, [seal("a", [])], () => Promise.reject(new RangeError("hunter2")));
  await assert.rejects(fails, RangeError);
  const failed = spans()[1];
  assert.deepEqual([failed.status.code, failed.attributes["error.type"]], [2, "RangeError"]);
  assert.doesNotMatch(JSON.stringify([failed.status, failed.attributes, failed.events]), /hunter2/);
});

test("an attempt that never began has no process span, and a stale one no settle span", () => {
  const { provider, ids, spans } = recording();
  const events = new Events();
  const node = new NodeSpans({ tracer: provider.getTracer("test"), ids, node: "n" });
  node.subscribe(events);
  const [given, stale] = [claimed(), claimed()];
  node.claimed([given, stale], 1_000);
  events.attempts.emit(attemptEvent(finished({ claimed: given, started: null }), "released"));
  events.attempts.emit(attemptEvent(finished({ claimed: stale }), "completed"));
  events.settles.emit({ started: 1, at: 2, settled: new Set([given.uuid]) });
  assert.deepEqual(spans().map(({ name }) => name), ["claim default", "claim default", "process default"]);
});

test("a collector that does not answer is told of once, and holds up no drain", async () => {
  const events = new Events();
  const said: string[] = [];
  events.on(({ name }) => said.push(name));
  const own = { OTEL_EXPORTER_OTLP_ENDPOINT: "http://127.0.0.1:9", OTEL_EXPORTER_OTLP_TIMEOUT: "200" };
  const before = Object.keys(own).map((name) => [name, process.env[name]] as const);
  Object.assign(process.env, own);
  try {
    const tracing = (await startTracing({ node: "n", instance: "i", runtime: "r", events }))!;
    const many = Array.from({ length: 1_500 }, () => claimed());
    tracing.claimed(many, Date.now());
    await tracing.stop();
    await eventually(() => assert.deepEqual(said, ["traces.lost"]));
  } finally {
    for (const [name, value] of before) {
      if (value === undefined) delete process.env[name];
      else process.env[name] = value;
    }
  }
});
