/** Acting: who may, and what is kept of it. */
import assert from "node:assert/strict";
import { DispatcherError } from "../../runtime/errors.ts";
import { act } from "../../runtime/http/act.ts";
import type { Credential } from "../../runtime/http_access.ts";
import { test, type TestContext } from "../harness.ts";
import { bearer, clientFor, site } from "./site.ts";

const CREDENTIALS: Credential[] = [
  { kind: "bearer", role: "viewer", name: "screen", token: "viewer-token" },
  { kind: "bearer", role: "operator", name: "deploy", token: "operator-token" },
];

async function open(t: TestContext) {
  const { client } = await clientFor(t);
  const made = await site({ config: { http_auth: CREDENTIALS }, client });
  made.app.post("/pause/:queue", async (c) => {
    const { queue } = c.req.param();
    const value = await act(c, "pause", queue, async (client) => {
      if (queue === "stale") throw new DispatcherError("refused", "Cannot pause it");
      return { value: await client.pauseQueue(queue), count: 1, detail: { why: "test" } };
    });
    return c.json(value);
  });
  const pause = (queue: string, token: string) =>
    made.ask(`/pause/${queue}`, { method: "POST", headers: bearer(token) });
  return { ...made, client, pause };
}

test("act() does it and keeps who did what to what, from where and on which node", async (t) => {
  const { client, pause, said } = await open(t);
  assert.equal((await pause("q", "operator-token")).status, 200);
  const [{ id, at, ...record }] = await client.audits();
  assert.ok(id > 0 && /^\d{4}-\d\d-\d\dT.*Z$/.test(at));
  assert.deepEqual(record, {
    who: "deploy",
    how: "bearer",
    address: "127.0.0.1",
    node: "n1",
    action: "pause",
    target: "q",
    count: 1,
    ok: true,
    detail: { why: "test" },
  });
  const [event] = said.filter(({ name }) => name === "http.acted");
  assert.equal(event.text, 'bearer "deploy" did pause q');
});

test("act() keeps what was refused too, and tells whoever asked", async (t) => {
  const { client, pause } = await open(t);
  assert.equal((await pause("q", "viewer-token")).status, 403);
  assert.equal((await pause("stale", "operator-token")).status, 409);
  assert.equal((await client.queues()).length, 0, "nothing was paused");
  const kept = (await client.audits()).map(({ who, ok, count, detail }) => [who, ok, count, detail.error]);
  assert.deepEqual(kept, [
    ["deploy", false, 0, "Cannot pause it"],
    [
      "screen",
      false,
      0,
      'Cannot let you do this: "screen" is a viewer, and this needs an operator',
    ],
  ]);
});

test("act() that cannot keep a record has done it all the same, and the log has the record", async (t) => {
  const { client, pause, said } = await open(t);
  Object.assign(client, { audit: () => Promise.reject(new Error("No space")) });
  assert.equal((await pause("q", "operator-token")).status, 200);
  const [event] = said.filter(({ name }) => name === "http.unrecorded");
  assert.deepEqual([event.level, event.fields?.who, event.fields?.target], ["error", "deploy", "q"]);
});

test("act() while the database is away answers 503 with when to try again", async () => {
  const made = await site();
  made.app.post("/act", (c) => act(c, "purge", "q", () => Promise.resolve({ value: c.text("") })));
  const answer = await made.ask("/act", { method: "POST" });
  assert.deepEqual([answer.status, answer.headers.get("retry-after")], [503, "5"]);
  assert.equal((await answer.json()).code, "unavailable");
});

test("an error that nobody meant is told to the log and not to whoever asked", async () => {
  const made = await site();
  made.app.get("/bug", () => {
    throw new TypeError("secret of the house");
  });
  const answer = await made.ask("/bug");
  assert.equal(answer.status, 500);
  const { detail, code } = await answer.json();
  assert.deepEqual([detail, code], ["Cannot answer GET /bug: see the log of this node", "failed"]);
  assert.ok(
    made.said.some(({ name, text }) => name === "http.failed" && text.includes("secret of the house")),
  );
});
