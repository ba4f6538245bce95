/** What a node serves, read by a parser, and held against the documentation, the dashboard and the alert rules. */
import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import parsePrometheus from "parse-prometheus-text-format";
import { parse as parseYaml } from "yaml";
import { eventually, tempDir, test, type TestContext } from "../harness.ts";
import { cluster, FIXTURES } from "../integration/cluster.ts";

interface Family {
  name: string;
  help: string;
  type: string;
  metrics: {
    labels?: Record<string, string>;
    value?: string;
    count?: string;
    buckets?: Record<string, string>;
  }[];
}

const read = (path: string) => readFileSync(new URL(`../../docs/${path}`, import.meta.url), "utf8");

/** A node that has done a little, and what it serves then. */
async function scraped(t: TestContext) {
  const { node, client } = await cluster(t);
  const { http } = await node({ name: "measured", workers: 2, http: true });
  const good = await client.publish("examples/add", [1, 1]);
  const bad = await client.publish("examples/fail", [], { delay: 0.2 });
  await good.result();
  await assert.rejects(bad.result());
  await client.publish("examples/add", [1, 1], { queue: "elsewhere" });
  await client.publish("examples/add", [1, 1], { queue: "elsewhere", resources: { tape: 1 } });
  await client.pauseQueue("elsewhere");
  const answer = await fetch(`${http}/metrics`);
  const text = await answer.text();
  const families = familiesOf(text);
  return { http, client, answer, text, families };
}

type Families = Map<string, Family>;

function familiesOf(text: string): Families {
  return new Map((parsePrometheus(text) as Family[]).map((family) => [family.name, family]));
}

async function familiesAt(http: string): Promise<Families> {
  return familiesOf(await (await fetch(`${http}/metrics`)).text());
}

/** The value of a series by its labels. */
function value(families: Families, name: string, labels: Record<string, string> = {}): number {
  const found = families.get(name)?.metrics.find((one) =>
    Object.entries(labels).every(([label, wanted]) => one.labels?.[label] === wanted)
  );
  assert.ok(found, `${name} ${JSON.stringify(labels)}`);
  return Number(found.value);
}

/** Names of metrics in an expression, without what a histogram adds to its own. */
function namesIn(text: string): string[] {
  const names = text.match(/\bdispatcher_[a-z_]+/g) ?? [];
  return names.map((name) => name.replace(/^(dispatcher_\w+_seconds)_(bucket|sum|count)$/, "$1"));
}

/** Labels that an expression selects or groups by. */
function labelsIn(text: string): string[] {
  const selected = [...text.matchAll(/[{,]\s*([a-z_]+)\s*=~?"/g)].map(([, label]) => label);
  const grouped = [...text.matchAll(/\b(?:by|on) \(([^)]*)\)/g)].flatMap(([, list]) => list.split(/,\s*/));
  return [...selected, ...grouped].filter((label) => !["le", "instance", ""].includes(label));
}

/** Rows of the tables in the documentation. */
function documented(): { name: string; type: string; labels: string[] }[] {
  const rows = read("metrics.md").matchAll(/^\| `(dispatcher_\w+)` \| (\w+) \|([\w, ]*)\|/gm);
  return [...rows].map(([, name, type, labels]) => ({
    name,
    type,
    labels: labels.trim() === "" ? [] : labels.trim().split(/,\s*/),
  }));
}

const TIMES = ["dispatcher_wait_seconds", "dispatcher_duration_seconds"];

/** Labels as they come, but for the histograms', which the parser keeps elsewhere. */
function labelsOf({ metrics }: Family): string[] {
  return Object.keys(metrics[0]?.labels ?? {}).filter((label) => label !== "le");
}

test("a node serves its metrics: counted by queue and outcome, the leader's queues, its slots", async (t) => {
  const { http, client, answer, text, families } = await scraped(t);
  assert.equal(answer.status, 200);
  assert.match(answer.headers.get("content-type")!, /^text\/plain; version=0\.0\.4/);
  const queue = "default";
  assert.equal(value(families, "dispatcher_claimed_total", { queue }), 2);
  assert.equal(value(families, "dispatcher_settled_total", { queue, outcome: "completed" }), 1);
  assert.equal(value(families, "dispatcher_settled_total", { queue, outcome: "discarded" }), 1);
  assert.equal(value(families, "dispatcher_slots", { state: "idle" }), 2);
  assert.equal(value(families, "dispatcher_worker_count_total"), 2);
  for (const name of ["leader", "listener_up", "database_up"]) {
    assert.equal(value(families, `dispatcher_${name}`), 1, name);
  }
  assert.equal(value(families, "dispatcher_waiting", { queue: "elsewhere" }), 2);
  assert.equal(value(families, "dispatcher_waiting_for_resources", { queue: "elsewhere" }), 1);
  assert.equal(value(families, "dispatcher_paused", { queue: "elsewhere" }), 1);
  for (const name of TIMES) {
    const [times] = families.get(name)!.metrics;
    assert.match(text, new RegExp(`^${name}_count\\{queue="default"\\} 2$`, "m"));
    const buckets = Object.entries(times.buckets!).map((
      [le, count],
    ) => [Number(le.replace("+Inf", "Infinity")), Number(count)]);
    const counts = buckets.toSorted(([a], [b]) => a - b).map(([, count]) => count);
    assert.deepEqual(counts, counts.toSorted((a, b) => a - b), `${name} is cumulative`);
    assert.equal(counts.at(-1), 2);
  }
  const [{ port }, [told]] = [new URL(http), await client.control("metrics", {}, { expected: 1 })];
  assert.deepEqual([told.enabled, (told.status as { port: number }).port], [true, Number(port)]);
  // Whole seconds are told.
  await eventually(async () => {
    const rates = await client.rates();
    assert.deepEqual(rates.map(({ queue, failed_60s }) => [queue, failed_60s]), [["default", 1]]);
    assert.equal(Math.round(60 * rates[0].settled_60s), 2);
  });
});

test("a node tells what it offers and has in use, the leader what waits for it, and others not that", async (t) => {
  const { node, client } = await cluster(t);
  const config = { resources: { gpu: 2, cpu: 1.5, memoryMb: 100 } };
  const { http } = await node({ name: "measured", workers: 2, tasks: FIXTURES, config, http: true });
  const other = await node({ name: "other", workers: 1, tasks: FIXTURES, http: true });
  const open = join(tempDir(), "open");
  const ask = async (resources: Record<string, number>, queue = "default") =>
    await client.publish("waits#gate", [open], { resources, queue });
  const running = await ask({ gpu: 1, cpu: 0.5, memoryMb: 10 });
  await ask({ gpu: 3 });
  await ask({ gpu: 4 });
  await ask({ gpu: 4 }, "elsewhere");
  const told = await eventually(async () => {
    const families = await familiesAt(http);
    assert.equal(value(families, "dispatcher_resource_used", { resource: "gpu" }), 1);
    return families;
  }, { within: 20_000 });
  const all = (families: Families, name: string) =>
    Object.fromEntries(
      families.get(name)!.metrics.map((
        { labels = {}, value },
      ) => [labels.resource ?? labels.queue, Number(value)]),
    );
  assert.deepEqual(all(told, "dispatcher_resource_offered"), { cpu: 1.5, gpu: 2 });
  assert.deepEqual(all(told, "dispatcher_resource_used"), { cpu: 0.5, gpu: 1 });
  assert.equal(value(told, "dispatcher_resource_memory_offered_bytes"), 100 * 2 ** 20);
  assert.equal(value(told, "dispatcher_resource_memory_used_bytes"), 10 * 2 ** 20);
  assert.deepEqual(all(told, "dispatcher_waiting_for_resources"), { default: 2, elsewhere: 1 });
  const elsewhere = await familiesAt(other.http);
  assert.deepEqual(elsewhere.get("dispatcher_waiting_for_resources")!.metrics, []);
  assert.deepEqual(Object.keys(all(elsewhere, "dispatcher_resource_offered")), ["cpu"]);
  writeFileSync(open, "");
  await running.result({ within: 20 });
  await eventually(async () =>
    assert.deepEqual(all(await familiesAt(http), "dispatcher_resource_used"), { cpu: 0, gpu: 0 })
  );
});

test("what is served, what is documented, what the dashboard shows and what is alerted of are the same", async (t) => {
  const { families, text } = await scraped(t);
  const served = [...families.values()].filter(({ type }) => type !== "UNTYPED");
  assert.deepEqual(documented().map(({ name }) => name).sort(), served.map(({ name }) => name).sort());
  for (const { name, type, labels } of documented()) {
    const family = families.get(name)!;
    assert.equal(family.type.toLowerCase(), type, name);
    if (!TIMES.includes(name)) assert.deepEqual(labelsOf(family), labels, name);
    if (family.type === "COUNTER") assert.match(name, /_total$/);
    assert.ok(family.help.length > 10, name);
  }
  for (const name of TIMES) {
    assert.match(text, new RegExp(`^${name}_bucket\\{le="0.001",queue="default"\\}`, "m"));
  }

  const dashboard = JSON.parse(read("observability/grafana.json"));
  const shown: string[] = dashboard.panels.flatMap((panel: { targets: { expr: string }[] }) =>
    panel.targets.map(({ expr }) => expr)
  );
  assert.ok(shown.length > 15);
  const alerts = parseYaml(read("observability/alerts.yml"));
  const rules: { alert: string; expr: string; annotations: { summary: string } }[] = alerts.groups[0].rules;
  assert.equal(new Set(rules.map(({ alert }) => alert)).size, rules.length);
  assert.ok(rules.every(({ annotations }) => annotations.summary));
  for (
    const expression of [
      ...shown,
      ...rules.map(({ expr }) => expr),
      dashboard.templating.list[1].definition,
    ]
  ) {
    const names = namesIn(expression);
    assert.ok(names.length > 0, expression);
    for (const name of names) assert.ok(families.has(name), `${name} in ${expression}`);
    const known = new Set(names.flatMap((name) => documented().find((row) => row.name === name)!.labels));
    for (const label of labelsIn(expression)) assert.ok(known.has(label), `label ${label} in ${expression}`);
  }
});
