/** The client of the HTTP API: what it asks is what the document has, and its types are those of the schemas. */
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { readFileSync } from "node:fs";
import type { z } from "zod";
import {
  type HttpClient,
  httpClient,
  type HttpClientOptions,
  HttpProblem,
} from "../../runtime/http/client.ts";
import type * as T from "../../runtime/http/api/types.ts";
import type * as S from "../../runtime/http/api/schemas.ts";
import type { Credential } from "../../runtime/http_access.ts";
import { importsOf } from "../imports/scanner.ts";
import { test, type TestContext } from "../harness.ts";
import { routesOf } from "./api_site.ts";
import { clientFor, site } from "./site.ts";

/** `true` when each can stand for the other; a wrong one does not pass the type check. */
type Same<A, B> = [A] extends [B] ? [B] extends [A] ? true : { lacks: Exclude<keyof A, keyof B> } : false;
const SAME: [
  Same<T.PublishOptions, z.input<typeof S.publishOptions>>,
  Same<T.Call, z.input<typeof S.publishCall>>,
  Same<T.Published, z.output<typeof S.published>>,
  Same<T.Envelope, z.output<typeof S.envelope>>,
  Same<T.ListedEnvelope, z.output<typeof S.listedEnvelope>>,
  Same<T.Filter, z.input<typeof S.filter>>,
  Same<T.Acted, z.output<typeof S.acted>>,
  Same<T.Node, z.output<typeof S.node>>,
  Same<T.Reply, z.output<typeof S.reply>>,
  Same<T.Queue, z.output<typeof S.queue>>,
  Same<T.Schedule, z.output<typeof S.schedule>>,
  Same<T.Failure, z.output<typeof S.failure>>,
  Same<T.AuditRecord, z.output<typeof S.auditRow>>,
  Same<T.Problem, z.output<typeof S.problemSchema>>,
  Same<keyof T.PublishOptions, keyof z.input<typeof S.publishOptions>>,
  Same<keyof T.Envelope, keyof z.output<typeof S.envelope>>,
] = [true, true, true, true, true, true, true, true, true, true, true, true, true, true, true, true];

const OPERATOR: Credential = { kind: "basic", role: "operator", user: "ann", password: "pass:wörd" };

/** A client of a site in this process, and what it has asked. */
async function open(t: TestContext, options: Partial<HttpClientOptions> = {}) {
  const { client } = await clientFor(t);
  const made = await site({ client, config: { http_auth: [OPERATOR], http_base_path: "/d" } });
  const asked = new Set<string>();
  const http = httpClient({
    url: "http://127.0.0.1:8070/d/",
    basic: { user: "ann", password: "pass:wörd" },
    fetch: async (url, init) => {
      asked.add(`${init.method} ${new URL(url).pathname}`);
      return await made.app.request(url, init, { address: "127.0.0.1" });
    },
    ...options,
  });
  return { ...made, client, http, asked };
}

const failing = (code: string, status: number) => (error: unknown) => {
  assert.ok(error instanceof HttpProblem, String(error));
  assert.deepEqual([error.code, error.status], [code, status], error.message);
  return true;
};

test("the client publishes, looks and acts", async (t) => {
  const { http, client } = await open(t);
  const sent = await http.publish("examples/add", [1, 2], { queue: "q", delay: 60 }, "order 7");
  assert.deepEqual(await http.publish("examples/add", [1, 2], { queue: "q" }, "order 7"), {
    ...sent,
    known: true,
  });
  const many = await http.publishMany([{ task: "a" }, { task: "a", args: [{ token: "hunter2" }] }]);
  assert.equal(many.length, 2);
  const page = await http.list({ task: "a", state: ["available", "running"], limit: 1, fields: ["args"] });
  assert.deepEqual(page.envelopes, [{ uuid: many[1].uuid, args: [{ token: "[redacted]" }] }]);
  assert.equal((await http.list({ task: "a", before: page.next! })).envelopes[0].uuid, many[0].uuid);
  assert.equal((await http.show(sent.uuid))[0].why[0].code, "scheduled");
  assert.equal((await http.cancel(sent.uuid)).changed, 1);
  assert.equal((await http.discard([many[0].uuid], "not needed")).changed, 1);
  assert.equal((await http.discard({ filter: { task: "a" } })).changed, 1);
  assert.equal((await http.failures({ within: "1h" })).length, 2);
  assert.equal((await http.retry({ filter: { state: ["discarded"] } })).changed, 2);
  assert.deepEqual([await http.pauseQueue("a/b"), await http.pauseQueue("a/b")], [true, false]);
  assert.equal((await http.queues()).find(({ queue }) => queue === "a/b")?.paused, true);
  assert.equal(await http.resumeQueue("a/b"), true);
  assert.equal(await http.purgeQueue("default"), 2);
  assert.deepEqual([await http.nodes(), await http.schedules()], [[], []]);
  const { records } = await http.audit({ action: "purge" });
  assert.deepEqual(records.map(({ who, target, count }) => [who, target, count]), [["ann", "default", 2]]);
  assert.deepEqual((await client.list({ task: "a" })).map(({ state }) => state), ["cancelled", "cancelled"]);
});

test("the client waits for results in pieces, and gives up when told", async (t) => {
  const { http, client } = await open(t);
  const { uuid } = await http.publish("t");
  await assert.rejects(http.result(uuid, { within: 0 }), failing("timeout", 504));
  await assert.rejects(http.run("a/b", [], { within: 0 }), failing("timeout", 504));
  const stop = new AbortController();
  const waiting = http.result(uuid, { signal: stop.signal });
  stop.abort(new Error("Enough"));
  await assert.rejects(waiting, /Enough|abort/i);
  await client.cancel([uuid]);
  await assert.rejects(http.result(uuid), failing("cancelled", 409));
  await assert.rejects(http.result(randomUUID()), failing("not_found", 404));
});

test("the client throws what was answered, whoever answered", async (t) => {
  const { http } = await open(t);
  await assert.rejects(http.publish("t", [], { queue: " " }), failing("invalid_queue", 422));
  await assert.rejects(http.list({ limit: 0 }), (error: HttpProblem) => {
    assert.deepEqual(error.problem.errors, [{
      at: "query.limit",
      message: "Too small: expected number to be >=1",
    }]);
    return failing("invalid", 422)(error);
  });
  const proxy = await open(t, { fetch: () => Promise.resolve(new Response("<html>no", { status: 502 })) });
  await assert.rejects(proxy.http.nodes(), (error: HttpProblem) => {
    assert.equal(error.message, "<html>no");
    return failing("failed", 502)(error);
  });
  const wrong = await open(t, { basic: undefined, token: "a-wrong-token" });
  await assert.rejects(wrong.http.nodes(), failing("unauthorized", 401));
});

test("the client has a method for every operation", async (t) => {
  const { http, asked, parts } = await open(t);
  const calls: ((http: HttpClient) => Promise<unknown>)[] = [
    (http) => http.publish("t"),
    (http) => http.run("t", [], { within: 0 }),
    (http) => http.result(randomUUID(), { within: 0 }),
    (http) => http.list(),
    (http) => http.show("0199"),
    (http) => http.cancel("0199"),
    (http) => http.retry("0199"),
    (http) => http.discard("0199"),
    (http) => http.cancel(["0199"]),
    (http) => http.retry(["0199"]),
    (http) => http.discard(["0199"]),
    (http) => http.nodes(),
    (http) => http.drain("n"),
    (http) => http.resume("n"),
    (http) => http.scale("n", 1, 1),
    (http) => http.logLevel("n", "debug"),
    (http) => http.queues(),
    (http) => http.pauseQueue("n"),
    (http) => http.resumeQueue("n"),
    (http) => http.purgeQueue("n"),
    (http) => http.schedules(),
    (http) => http.runSchedule("n"),
    (http) => http.pauseSchedule("n"),
    (http) => http.resumeSchedule("n"),
    (http) => http.failures(),
    (http) => http.audit(),
  ];
  for (const call of calls) {
    // None of them is refused for how it asks.
    await call(http).catch((error) =>
      assert.ok(error instanceof HttpProblem && error.status !== 422, String(error))
    );
  }
  const missing = routesOf(parts).filter(({ method, path }) => {
    const pattern = new RegExp(
      `^${method.toUpperCase()} /d/api${path.replace("{path}{.+}", ".+").replace(/\{\w+\}/g, "[^/]+")}$`,
    );
    return ![...asked].some((one) => pattern.test(one));
  });
  assert.deepEqual(missing.map(({ operationId }) => operationId), []);
  assert.equal(SAME.includes(true), true);
});

test("the client loads nothing: a browser takes it as it is", () => {
  for (const path of ["runtime/http/client.ts", "runtime/http/api/client.ts", "runtime/http/api/types.ts"]) {
    const text = readFileSync(new URL(`../../${path}`, import.meta.url), "utf8");
    const loads = importsOf(text).filter(({ kind }) => kind !== "type").map(({ specifier }) => specifier);
    assert.deepEqual(loads, path === "runtime/http/client.ts" ? ["./api/client.ts"] : [], path);
    assert.doesNotMatch(text, /\b(Buffer|process|Deno|Bun)\b\./);
  }
});
