/** The API: publishing, looking, acting; each answer is held against its schema. */
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { api, documentOf } from "../../runtime/http/api/api.ts";
import { connect as open } from "../../runtime/store/connection.ts";
import { PostgresStore } from "../../runtime/store/postgres.ts";
import { join } from "../conformance/store/moves.ts";
import { test } from "../harness.ts";
import { answered, apiSite, routesOf } from "./api_site.ts";
import { bearer, site } from "./site.ts";

const SECRET = "hunter2hunter2";

test("POST /api/publish publishes one, and says when the uuid is known", async (t) => {
  const { post, client } = await apiSite(t);
  const uuid = randomUUID();
  const call = {
    task: "examples/add",
    args: [1, 2],
    kwargs: { a: SECRET },
    queue: "q",
    delay: 60,
    priority: 3,
    max_attempts: 5,
    timeout: 9,
    uuid,
    guid: "g",
  };
  const first = await post("/api/publish", call);
  assert.deepEqual([first.status, first.body], [201, { uuid, queue: "q", known: false, duplicate_of: null }]);
  const again = await post("/api/publish", call);
  assert.deepEqual([again.status, again.body.known], [200, true]);
  const [row] = await client.list();
  const { task, args, kwargs, queue, state, priority, max_attempts, timeout, options } = row;
  assert.deepEqual([task, args, kwargs, queue, state, priority, max_attempts, timeout, options.guid], [
    "examples/add",
    [1, 2],
    { a: SECRET },
    "q",
    "scheduled",
    3,
    5,
    9,
    "g",
  ]);
  assert.equal(typeof row.options.due, "number");
});

test("POST /api/publish takes a batch, its duplicates too", async (t) => {
  const { post, client } = await apiSite(t);
  const call = { task: "t", args: [1], on_duplicate: "discard" };
  const { status, body } = await post("/api/publish", [{ task: "a" }, call, call, {
    task: "b",
    queue: "broadcast",
  }]);
  assert.equal(status, 201);
  assert.deepEqual(body.published.map((one: { queue: string }) => one.queue), [
    "default",
    "default",
    "default",
    "broadcast",
  ]);
  assert.equal(body.published[2].duplicate_of, body.published[1].uuid);
  assert.equal((await client.list()).length, 2);
  const [record] = await client.audits();
  assert.deepEqual([record.action, record.target, record.count, record.detail], ["publish", "a t b", 3, {
    calls: 4,
  }]);
});

test("an Idempotency-Key makes one of two, and each sender's are its own", async (t) => {
  const http_auth = ["one", "two"].map((name) =>
    ({ kind: "bearer", role: "operator", name, token: `${name}-long-token` }) as const
  );
  const { post } = await apiSite(t, { http_auth });
  const publish = async (body: unknown, key: string, sender = "one") =>
    (await post("/api/publish", body, {
      headers: { "idempotency-key": key, ...bearer(`${sender}-long-token`) },
    })).body;
  const first = await publish({ task: "t" }, "order 7");
  assert.deepEqual(await publish({ task: "t" }, "order 7"), { ...first, known: true });
  assert.equal((await publish({ task: "t" }, "order 7", "two")).known, false);
  assert.equal((await publish({ task: "t" }, "order 8")).known, false);
  const uuid = randomUUID();
  assert.equal((await publish({ task: "t" }, uuid)).uuid, uuid);
  const batch = [{ task: "t" }, { task: "t" }];
  const { published } = await publish(batch, "batch");
  assert.equal(new Set(published.map((one: { uuid: string }) => one.uuid)).size, 2);
  assert.deepEqual((await publish(batch, "batch")).published.map((one: { known: boolean }) => one.known), [
    true,
    true,
  ]);
});

const REFUSED: [body: unknown, status: number, detail: RegExp][] = [
  [{}, 422, /^Cannot use json/],
  [{ task: "" }, 422, /^Cannot use json/],
  [{ task: "t", args: 1 }, 422, /json/],
  [{ task: "t", max_attempts: 0 }, 422, /json/],
  [{ task: "t", maxAttempts: 1 }, 422, /json/],
  [{ task: "t", queue: " " }, 422, /^Cannot use " " as a queue: the name is blank$/],
  [{ task: "t", at: "tomorrow" }, 422, /^Cannot publish "t": at "tomorrow"/],
  [{ task: "t", uuid: "7" }, 422, /not a uuid|json/],
  [[], 422, /json/],
  [{ task: "t", volatile: true, at: "2030-01-01T00:00:00Z" }, 422, /volatile message takes a delay/],
];

test("what is not right is refused with its place, before anything is written", async (t) => {
  const { post, get, client, ask } = await apiSite(t);
  for (const [body, status, detail] of REFUSED) {
    const answer = await post("/api/publish", body);
    assert.deepEqual(
      [answer.status, detail.test(answer.body.detail)],
      [status, true],
      JSON.stringify(answer.body),
    );
  }
  const raw = async (body: string, type = "application/json") =>
    (await ask("/api/publish", { method: "POST", body, headers: { "content-type": type } })).status;
  assert.equal(await raw("{"), 400);
  assert.equal(await raw("task=t", "application/xml"), 415);
  assert.equal(await raw("", "application/json"), 400);
  assert.equal(await raw(JSON.stringify({ task: "t", args: ["x".repeat(17 * 1024 * 1024)] })), 413);
  assert.equal((await client.list()).length, 0);
  for (
    const query of [
      "limit=0",
      "limit=1001",
      "state=odd",
      "before=7",
      "older=soon",
      "fields=kwargs",
      "uuid=x",
      "odd=1",
    ]
  ) {
    const { status, body } = await get(`/api/envelopes?${query}`);
    assert.equal(status, 422, query);
    assert.equal(body.errors[0].at.startsWith("query"), true, JSON.stringify(body));
  }
});

test("GET /api/envelopes gives pages, filters and fields", async (t) => {
  const { get, client } = await apiSite(t);
  const uuids: string[] = [];
  for (let n = 0; n < 5; n++) {
    uuids.push((await client.publish(n < 3 ? "a" : "b", [n], { queue: `q${n % 2}` })).uuid);
  }
  await client.cancel([uuids[4]]);
  const seen: string[] = [];
  for (let path = "/api/envelopes?limit=2";;) {
    const { body } = await get(path);
    seen.push(...body.envelopes.map((one: { uuid: string }) => one.uuid));
    if (body.next === null) break;
    path = `/api/envelopes?limit=2&before=${body.next}`;
  }
  assert.deepEqual(seen, uuids.toReversed());
  const found = async (query: string) => (await get(`/api/envelopes?${query}`)).body.envelopes;
  const numbers = async (query: string) => (await found(query)).map((one: { args: number[] }) => one.args[0]);
  assert.deepEqual(await numbers("task=a&queue=q0"), [2, 0]);
  assert.deepEqual(await numbers("state=cancelled,running"), [4]);
  assert.deepEqual(await numbers(`uuid=${uuids[1].slice(0, 35)}`), [1]);
  assert.deepEqual(await numbers("older=1h"), []);
  assert.deepEqual(await found(`fields=state,task&uuid=${uuids[4]}`), [{
    uuid: uuids[4],
    state: "cancelled",
    task: "b",
  }]);
  // Nobody has these: pages go by the order of uuids, in which one is behind all and one before.
  const [last, first] = ["ffffffff-ffff-4fff-bfff-ffffffffffff", "00000000-0000-4000-8000-000000000000"];
  assert.equal((await get(`/api/envelopes?before=${last}`)).body.envelopes.length, 5);
  assert.equal((await get(`/api/envelopes?before=${first}`)).status, 404);
});

test("GET /api/envelopes/UUID shows one with its reasons, by its first digits too", async (t) => {
  const { get, client } = await apiSite(t);
  const { uuid } = await client.publish("t", [{ password: SECRET }, 1], {
    kwargs: { plain: SECRET },
    callbacks: [{ task: "next", kwargs: { plain: SECRET } }],
  });
  const { body } = await get(`/api/envelopes/${uuid}`);
  const [shown] = body.envelopes;
  assert.deepEqual([shown.state, shown.args, shown.why[0].code], [
    "available",
    [{ password: "[redacted]" }, 1],
    "no_node",
  ]);
  assert.deepEqual((await get(`/api/envelopes/${uuid.slice(0, 30)}`)).body, body);
  const list = await get("/api/envelopes");
  assert.ok(!JSON.stringify([body, list.body]).includes(SECRET));
  assert.equal((await get(`/api/envelopes/${randomUUID()}`)).status, 404);
  await client.publish("t");
  await client.publish("t");
  const many = await get(`/api/envelopes/${uuid.slice(0, 4)}`);
  assert.deepEqual([many.status, many.body.code], [409, "ambiguous"]);
});

test("a broadcast that no node has taken is shown, and has no copies to act on", async (t) => {
  const { get, post, client } = await apiSite(t);
  const { uuid } = await client.publish("t", [], { queue: "broadcast" });
  const { body } = await get(`/api/envelopes/${uuid}`);
  assert.deepEqual([body.envelopes[0].queue, body.envelopes[0].state], ["broadcast", "available"]);
  assert.equal((await post(`/api/envelopes/${uuid}/cancel`)).status, 404);
});

test("cancel, discard and retry act on one, and say what became of it", async (t) => {
  const { post, client } = await apiSite(t);
  const { uuid } = await client.publish("t");
  const did = async (verb: string, body?: unknown) => {
    const answer = await post(`/api/envelopes/${uuid}/${verb}`, body);
    return [answer.body.changed, answer.body.did];
  };
  assert.deepEqual(await did("cancel"), [1, { cancelled: 1 }]);
  assert.deepEqual(await did("cancel"), [0, { "already cancelled": 1 }]);
  assert.deepEqual(await did("retry"), [1, { retried: 1 }]);
  assert.deepEqual(await did("discard", { reason: "not needed" }), [1, { discarded: 1 }]);
  assert.equal((await client.find(uuid))[0].error?.message, "not needed");
  const kept = (await client.audits()).map(({ action, target, count }) => [action, target === uuid, count]);
  assert.deepEqual(kept, [["discard", true, 1], ["retry", true, 1], ["cancel", true, 0], [
    "cancel",
    true,
    1,
  ]]);
});

test("cancel, discard and retry act on many, by uuid or by filter", async (t) => {
  const { post, client } = await apiSite(t);
  const uuids =
    (await client.publishMany(Array.from({ length: 1_200 }, (_, n) => ({ task: n < 3 ? "a" : "b" }))))
      .map(({ uuid }) => uuid);
  const named = await post("/api/envelopes/cancel", { uuids: uuids.slice(0, 2) });
  assert.deepEqual([named.body.changed, named.body.results.length], [2, 2]);
  const found = await post("/api/envelopes/discard", { filter: { task: "b" }, reason: "all of them" });
  assert.deepEqual(found.body, { changed: 1_197, did: { discarded: 1_197 }, results: [] });
  // Without a state a filter means the dead, not what somebody cancelled.
  assert.equal((await post("/api/envelopes/retry", { filter: { task: "a" } })).body.changed, 0);
  assert.equal(
    (await post("/api/envelopes/retry", { filter: { task: "a", state: ["cancelled"] } })).body.changed,
    2,
  );
  for (
    const body of [{}, { filter: {} }, { uuids: [] }, { uuids, filter: { task: "a" } }, { uuids: ["x"] }]
  ) {
    assert.equal((await post("/api/envelopes/cancel", body)).status, 422, JSON.stringify(body));
  }
  assert.equal((await post("/api/envelopes/cancel", { uuids: [uuids[0], randomUUID()] })).status, 404);
  assert.equal((await client.find(uuids[0]))[0].state, "available", "all are found before one is touched");
});

test("queues are listed, paused, resumed and purged, whatever their names", async (t) => {
  const { get, post, client } = await apiSite(t);
  const name = "a b/ü?";
  const path = `/api/queues/${encodeURIComponent(name)}`;
  await client.publish("t", [], { queue: name });
  assert.deepEqual((await post(`${path}/pause`)).body, { changed: true });
  assert.deepEqual((await post(`${path}/pause`)).body, { changed: false });
  const { body: { queues: [queue] } } = await get("/api/queues");
  assert.deepEqual([queue.queue, queue.available, queue.paused], [name, 1, true]);
  assert.deepEqual((await post(`${path}/resume`)).body, { changed: true });
  assert.deepEqual((await post(`${path}/purge`)).body, { purged: 1 });
  assert.equal((await post("/api/queues/broadcast/pause")).status, 400);
});

test("schedules are listed, run, paused and resumed, without their keyword arguments", async (t) => {
  const { get, post, url, client } = await apiSite(t);
  const sql = open(url, { max: 1 });
  t.after(() => sql.end({ timeout: 1 }));
  const usual = { cron: null, timezone: null, catch_up: "one", enabled: true, options: {} } as const;
  await new PostgresStore(sql).putSchedules(
    [{
      ...usual,
      name: "nightly/clean",
      task: "t",
      args: [{ token: SECRET }],
      kwargs: { plain: SECRET },
      queue: "default",
      every: 3_600,
      next_at: null,
    }],
    () => new Date("2030-01-01T00:00:00Z"),
  );
  const { body } = await get("/api/schedules");
  assert.deepEqual([body.schedules[0].every, body.schedules[0].args], [3_600, [{ token: "[redacted]" }]]);
  assert.ok(!JSON.stringify(body).includes(SECRET));
  const path = "/api/schedules/nightly%2Fclean";
  const run = await post(`${path}/run`);
  assert.deepEqual([run.status, (await client.find(run.body.uuid))[0].task], [201, "t"]);
  assert.deepEqual((await post(`${path}/pause`)).body, { enabled: false });
  assert.equal((await get("/api/schedules")).body.schedules[0].enabled, false);
  assert.deepEqual((await post(`${path}/resume`)).body, { enabled: true });
  assert.equal((await post("/api/schedules/none/run")).status, 404);
  const rhythm = { every: null, cron: "@daily", timezone: null, catch_up: "one", enabled: true } as const;
  await join(new PostgresStore(sql), "n", {
    schedules: [{ name: "sweep", task: "t", args: [{ token: SECRET }], options: {}, ...rhythm }],
  });
  const [cluster, own] = (await get("/api/schedules")).body.schedules;
  assert.deepEqual([cluster.scope, cluster.nodes, own.scope, own.nodes], ["cluster", null, "node", ["n"]]);
  assert.deepEqual([own.args, own.next_at?.slice(10)], [[{ token: "[redacted]" }], "T00:00:00.000Z"]);
  assert.equal((await post("/api/schedules/sweep/pause")).status, 409);
});

test("nodes are listed; a command to one that is not there, or does not answer, says so", async (t) => {
  const { get, post, url, client } = await apiSite(t);
  const sql = open(url, { max: 1 });
  t.after(() => sql.end({ timeout: 1 }));
  await join(new PostgresStore(sql), "silent");
  const { body: { nodes: [node] } } = await get("/api/nodes");
  assert.deepEqual([node.name, node.alive, node.state, "boot" in node], ["silent", true, "running", false]);
  assert.equal((await post("/api/nodes/none/drain")).status, 404);
  assert.equal((await post("/api/nodes/silent/scale", { min: 3, max: 2 })).status, 422);
  const told: unknown[] = [];
  client.control = (...given) => (told.push(given), Promise.resolve([]));
  const scale = await post("/api/nodes/silent/scale", { min: 1, max: 2 });
  assert.deepEqual([scale.status, scale.body.detail], [
    503,
    'Cannot scale node "silent": it did not answer in 5 s',
  ]);
  client.control = (...given) => (told.push(given), Promise.resolve([{ error: "No", node_id: "silent" }]));
  assert.equal((await post("/api/nodes/silent/log-level", { level: "debug" })).status, 409);
  client.control = (...given) => (told.push(given), Promise.resolve([{ node_id: "silent" }]));
  assert.equal((await post("/api/nodes/silent/drain")).status, 200);
  assert.equal((await post("/api/nodes/silent/resume")).status, 200);
  assert.equal((await post("/api/nodes/silent/scale", { min: 1, max: 2 })).status, 200);
  assert.equal((await post("/api/nodes/silent/log-level", { level: "debug" })).status, 200);
  const options = { channel: "silent", expected: 1, timeout: 5 };
  assert.deepEqual(told.slice(2), [
    ["drain", {}, options],
    ["resume", {}, options],
    ["scale", { min: 1, max: 2 }, options],
    ["set_log_level", { level: "debug" }, options],
  ]);
});

test("failures and the audit are listed", async (t) => {
  const { get, post, client } = await apiSite(t);
  const { uuid } = await client.publish("t");
  await post(`/api/envelopes/${uuid}/discard`, { reason: "broken 7" });
  const { body: { failures } } = await get("/api/failures?within=1h&task=t");
  assert.deepEqual([failures.length, failures[0].count, failures[0].last_uuid], [1, 1, uuid]);
  assert.deepEqual((await get("/api/failures?task=other")).body, { failures: [] });
  await post("/api/queues/q/purge");
  const { body: first } = await get("/api/audit?limit=1");
  assert.deepEqual([first.records[0].action, first.records[0].who], ["purge", "local"]);
  const { body: second } = await get(`/api/audit?limit=1&before=${first.next}`);
  assert.equal(second.records[0].action, "discard");
  assert.deepEqual((await get("/api/audit?action=retry")).body, { records: [], next: null });
});

test("a viewer looks at everything but whole results, and acts on nothing", async (t) => {
  const http_auth = [{ kind: "bearer", role: "viewer", name: "screen", token: "viewer-token" }] as const;
  const { parts, get, post, client } = await apiSite(t, { http_auth: [...http_auth] });
  const { uuid } = await client.publish("t");
  const headers = bearer("viewer-token");
  const bodies: Record<string, unknown> = {
    "/publish": { task: "t" },
    "/envelopes/cancel": { uuids: [uuid] },
    "/envelopes/retry": { uuids: [uuid] },
    "/envelopes/discard": { uuids: [uuid] },
    "/nodes/{name}/scale": { min: 1, max: 1 },
    "/nodes/{name}/log-level": { level: "debug" },
  };
  for (const { method, path } of routesOf(parts)) {
    const asked = `/api${path}`.replace("{uuid}", uuid).replace("{name}", "n").replace("{path}{.+}", "t");
    const { status } = method === "get"
      ? await get(asked, { headers })
      : await post(asked, bodies[path], { headers });
    assert.equal(status, method === "get" && !path.endsWith("/result") ? 200 : 403, `${method} ${path}`);
  }
  assert.equal((await client.list()).length, 1);
  assert.equal((await client.find(uuid))[0].state, "available");
});

test("the document and the routes that are mounted are the same", async () => {
  const { app, parts, ask } = await site({ config: { http_base_path: "/d" } });
  const mounted = new Set(
    app.routes.filter(({ method, path }) => method !== "ALL" && path.startsWith("/d/api/"))
      .map(({ method, path }) =>
        `${method} ${path.slice("/d/api".length).replace(":path{.+}", "{path}").replace(/:(\w+)/g, "{$1}")}`
      ),
  );
  const answer = await ask("/d/api/openapi.json");
  const document = await answer.json();
  const written = Object.entries(document.paths as Record<string, object>).flatMap(([path, methods]) =>
    Object.keys(methods).map((method) => `${method.toUpperCase()} ${path}`)
  );
  // What describes itself, and what streams.
  const besides = ["GET /openapi.json", "GET /live"];
  assert.deepEqual([...mounted].filter((one) => !besides.includes(one)).sort(), written.sort());
  assert.ok(written.length >= 25, `${written.length}`);
  assert.deepEqual(document.servers, [{ url: "/d/api" }]);
  assert.deepEqual(document, JSON.parse(JSON.stringify(documentOf(api(parts), [{ url: "/d/api" }]))));
});

test("the document is complete: names are unique, references lead somewhere, parameters are described", async () => {
  const document = await (await (await site()).ask("/api/openapi.json")).json();
  assert.equal(document.openapi, "3.1.0");
  const operations = Object.values(document.paths).flatMap((item) => Object.values(item as object));
  const ids = operations.map(({ operationId }) => operationId);
  assert.equal(new Set(ids).size, ids.length);
  const refs = [...JSON.stringify(document).matchAll(/"\$ref":"#\/components\/schemas\/(\w+)"/g)].map((
    [, name],
  ) => name);
  for (const name of refs) assert.ok(document.components.schemas[name], name);
  for (const [path, item] of Object.entries(document.paths)) {
    for (const { parameters = [] } of Object.values(item as object)) {
      const named = [...path.matchAll(/\{(\w+)\}/g)].map(([, name]) => name);
      const inPath = parameters.filter((one: { in: string }) => one.in === "path").map((
        one: { name: string },
      ) => one.name);
      assert.deepEqual(inPath, named, path);
    }
  }
  // Other languages know neither flags of patterns, nor two strict objects in one.
  const text = JSON.stringify(document);
  assert.ok(!text.includes('/i"') && !text.includes("allOf"));
  const { Envelope, Call } = document.components.schemas;
  assert.equal("kwargs" in Envelope.properties, false);
  assert.equal(Call.properties.kwargs.description, "Keyword arguments; never in any answer");
});

test("every operation has answered well here, but for those that wait for a node", async () => {
  const { parts } = await site();
  const missing = routesOf(parts).map(({ operationId }) => operationId).filter((id) => !answered.has(id));
  assert.deepEqual(missing.sort(), ["runATask", "waitForAResult"]);
});
