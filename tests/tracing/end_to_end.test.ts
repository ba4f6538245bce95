/** A publisher with a real SDK, a node that exports, and the trace that goes through both. */
import assert from "node:assert/strict";
import { context, ROOT_CONTEXT, trace } from "@opentelemetry/api";
import { OTLPTraceExporter } from "@opentelemetry/exporter-trace-otlp-http";
import { resourceFromAttributes } from "@opentelemetry/resources";
import { SimpleSpanProcessor, StackContextManager, TracerProvider } from "@opentelemetry/sdk-trace";
import { eventually, test, type TestContext } from "../harness.ts";
import { cluster, FIXTURES } from "../integration/cluster.ts";
import { type Collector, collector, type Span } from "./collector.ts";

/** Register an SDK in this process, as an application does. */
function sdk(t: TestContext, { endpoint }: Collector): TracerProvider {
  const exporter = new OTLPTraceExporter({ url: `${endpoint}/v1/traces` });
  const provider = new TracerProvider({
    resource: resourceFromAttributes({ "service.name": "shop" }),
    spanProcessors: [new SimpleSpanProcessor({ exporter })],
  });
  trace.setGlobalTracerProvider(provider);
  context.setGlobalContextManager(new StackContextManager().enable());
  t.after(async () => {
    trace.disable();
    context.disable();
    await provider.shutdown();
  });
  return provider;
}

/** A node that exports to the collector. */
async function tracing(t: TestContext, ...env: string[]) {
  const collected = await collector(t);
  const all = await cluster(t);
  const node = await all.node({
    name: "traced",
    workers: 1,
    tasks: FIXTURES,
    before: [
      "env",
      `OTEL_EXPORTER_OTLP_ENDPOINT=${collected.endpoint}`,
      "OTEL_BSP_SCHEDULE_DELAY=50",
      ...env,
    ],
  });
  return { ...all, ...collected, collected, running: node };
}

const childOf = (parent: Span, { traceId, parentSpanId }: Span) =>
  traceId === parent.traceId && parentSpanId === parent.spanId;

test("one trace leads from the publisher's active span through the node to what the task publishes", async (t) => {
  const { client, collected, named } = await tracing(t, "OTEL_SERVICE_NAME=workers");
  sdk(t, collected);
  const order = trace.getTracer("shop").startSpan("order");
  const publishing = context.with(
    trace.setSpan(ROOT_CONTEXT, order),
    () => client.publish<string>("traced", [true], { guid: "order-7" }),
  );
  const { uuid, result } = await publishing;
  order.end();
  const continued = await result();
  await eventually(() => assert.deepEqual([named("settle default").length, named("order").length], [2, 1]));

  const [root] = named("order");
  const publish = named("publish default").find((span) => span.attributes["messaging.message.id"] === uuid)!;
  const own = (name: string) =>
    named(name).find((span) => span.attributes["messaging.message.id"] === uuid) as Span;
  const [claim, process, settle] = [own("claim default"), own("process default"), own("settle default")];
  assert.ok(childOf(root, publish), "publish is a child of the active span");
  assert.ok(childOf(publish, claim), "claim is a child of publish");
  assert.ok(childOf(publish, process), "process is a child of publish");
  assert.ok(childOf(process, settle), "settle is a child of process");
  assert.deepEqual(process.links.map(({ spanId }) => spanId), [publish.spanId]);
  assert.equal(continued, `00-${process.traceId}-${process.spanId}-01`);
  assert.deepEqual([publish, claim, process, settle].map(({ kind }) => kind), [4, 3, 5, 3]);
  assert.equal(publish.resource["service.name"], "shop");
  assert.equal(process.resource["service.name"], "workers");
  assert.ok(claim.start <= process.start && process.start <= process.end && process.end <= settle.end);

  // What the task published goes on from its process span, in the node's own publish.
  const follow = named("publish default").find((span) => childOf(process, span))!;
  assert.equal(follow.resource["service.name"], "workers");
  const leaf = named("process default").find((span) => childOf(follow, span))!;
  assert.equal(leaf.attributes["dispatcher.task"], "traced#leaf");

  assert.deepEqual(process.attributes, {
    "messaging.system": "edge-dispatcher",
    "messaging.destination.name": "default",
    "messaging.operation.name": "process",
    "messaging.operation.type": "process",
    "messaging.message.id": uuid,
    "messaging.message.conversation_id": "order-7",
    "messaging.client.id": "traced",
    "dispatcher.task": "traced",
    "dispatcher.attempt": 1,
    "dispatcher.outcome": "completed",
    "dispatcher.worker": process.attributes["dispatcher.worker"],
  });
});

test("a failure is the span's status, without what it may tell of secrets; a drain exports the rest", async (t) => {
  const { client, spans, named, running } = await tracing(t, "OTEL_BSP_SCHEDULE_DELAY=60000");
  const { result } = await client.publish("traced#fails", ["hunter2"]);
  await assert.rejects(result());
  assert.equal(spans.length, 0, "in batches");
  running.kill("SIGTERM");
  assert.equal((await running.exited).code, 0);
  const [process] = named("process default");
  assert.equal(process.status.code, 2);
  assert.equal(process.attributes["error.type"], "TypeError");
  assert.equal(process.attributes["dispatcher.outcome"], "discarded");
  assert.doesNotMatch(JSON.stringify(spans), /hunter2/);
  // Whoever publishes without a trace leaves its beginning to the claim.
  const [claim] = named("claim default");
  assert.equal(claim.parentSpanId, "");
  assert.ok(childOf(claim, process));
});

test("what the publisher does not sample is not exported, and its traceparent arrives all the same", async (t) => {
  const { client, spans } = await tracing(t);
  const unsampled = "00-0123456789abcdef0123456789abcdef-0123456789abcdef-00";
  const { result } = await client.publish<string>("traced", [false], { traceparent: unsampled });
  assert.equal(await result(), unsampled);
  // Exported in the order of their end: had the first been sampled, it would be there.
  await (await client.publish("traced#leaf", [])).result();
  await eventually(() => assert.ok(spans.some(({ name }) => name === "settle default")));
  assert.deepEqual([...new Set(spans.map(({ traceId }) => traceId))].length, 1);
  assert.ok(spans.every(({ attributes }) => attributes["dispatcher.task"] === "traced#leaf"));
});

test("a broadcast's copies and a volatile message go on with the trace of whoever sent them", async (t) => {
  const { client, collected, named } = await tracing(t);
  sdk(t, collected);
  const tracer = trace.getTracer("shop");
  for (const [queue, options] of [["broadcast", {}], ["default", { volatile: true }]] as const) {
    const parent = tracer.startSpan(`send ${queue}`);
    const sent = await context.with(
      trace.setSpan(ROOT_CONTEXT, parent),
      () => client.publish("traced#leaf", [], { queue, ...options }),
    );
    parent.end();
    await sent.result();
    const { traceId } = parent.spanContext();
    const own = (verb: string) =>
      collected.spans.find((span) => span.traceId === traceId && span.name.startsWith(`${verb} `));
    await eventually(() => assert.ok(own("settle"), `${queue}: ${collected.spans.map(({ name }) => name)}`));
    const [publish, process] = [own("publish")!, own("process")!];
    assert.ok(childOf(publish, process), queue);
    assert.deepEqual(process.links.map(({ spanId }) => spanId), [publish.spanId], queue);
    assert.equal(process.attributes["dispatcher.task"], "traced#leaf");
  }
  assert.ok(named("publish broadcast").length === 1);
});
