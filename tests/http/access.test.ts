/** Who comes in, as what, and who does not. */
import assert from "node:assert/strict";
import type { Credential } from "../../runtime/http_access.ts";
import { demandOperator } from "../../runtime/http/access.ts";
import { test } from "../harness.ts";
import { type Ask, basic, bearer, site, type SiteOptions } from "./site.ts";

const TEAM: Credential[] = [
  { kind: "basic", role: "viewer", user: "ann", password: "pass:wörd" },
  { kind: "basic", role: "operator", user: "bob", password: "longer password" },
  { kind: "bearer", role: "operator", name: "deploy", token: "a-long-token" },
];
const PROXY: Credential = {
  kind: "proxy",
  role: "viewer",
  header: "X-Forwarded-User",
  from: ["10.1.0.0/16", "::1"],
  operators: ["carol"],
};

/** A site that says who asks, and has a thing only operators may do. */
async function open(config: SiteOptions["config"] = {}) {
  const made = await site({ config });
  made.app.get("/who", (c) => c.json(c.var.who));
  made.app.post("/act", (c) => {
    demandOperator(c);
    return c.json("done");
  });
  const who = async (ask: Ask = {}) => {
    const answer = await made.ask("/who", ask);
    const { name, role, how } = await answer.json();
    return answer.status === 200 ? `${how} ${name} ${role}` : answer.status;
  };
  return { ...made, who };
}

test("without credentials whoever is on this machine is the operator, and nobody else", async () => {
  const { who } = await open();
  assert.equal(await who(), "local local operator");
  assert.equal(await who({ from: "::1", host: "[::1]:8070" }), "local local operator");
  assert.equal(await who({ from: "::ffff:127.0.0.1", host: "localhost:8070" }), "local local operator");
  assert.equal(await who({ from: "10.0.0.7" }), 403);
});

const HOSTS: [host: string, status: number][] = [
  ["127.0.0.1:8070", 404],
  ["localhost:1", 404],
  ["LOCALHOST", 404],
  ["dash.localhost:8070", 404],
  ["[::1]:8070", 404],
  ["ops.example:8070", 404],
  ["evil.example", 421],
  ["127.0.0.1.evil.example:8070", 421],
  ["localhost.evil.example", 421],
];
for (const [host, status] of HOSTS) {
  test(`a loopback address that is asked as ${host} answers ${status}`, async () => {
    const { ask } = await site({ config: { http_hosts: ["Ops.example"] } });
    assert.equal((await ask("/nothing", { host })).status, status);
  });
}

test("a public address is asked by any name, or by those of http_hosts only", async () => {
  const config = { http: "0.0.0.0:8070", http_auth: TEAM };
  const ask = { headers: bearer("a-long-token"), from: "10.0.0.7", host: "any.example" };
  assert.equal(await (await open(config)).who(ask), "bearer deploy operator");
  const named = await open({ ...config, http_hosts: ["ops.example"] });
  assert.equal(await named.who(ask), 421);
  assert.equal(await named.who({ ...ask, host: "ops.example:443" }), "bearer deploy operator");
});

test("probes need neither credentials nor a name", async () => {
  const { ask } = await site({ config: { http_auth: TEAM, http_base_path: "/d" } });
  for (const path of ["/livez", "/readyz", "/d/livez", "/d/readyz"]) {
    assert.equal((await ask(path, { host: "10.0.0.1:8070", from: "10.0.0.9" })).status, 200, path);
  }
  assert.equal((await ask("/d/metrics")).status, 401);
  assert.equal((await ask("/d")).status, 401);
});

test("basic and bearer credentials let in those whom they fit", async () => {
  const { who } = await open({ http_auth: TEAM });
  assert.equal(await who({ headers: basic("ann", "pass:wörd") }), "basic ann viewer");
  assert.equal(await who({ headers: basic("bob", "longer password") }), "basic bob operator");
  assert.equal(await who({ headers: bearer("a-long-token") }), "bearer deploy operator");
  assert.equal(await who({ headers: { authorization: "bEARER  a-long-token " } }), "bearer deploy operator");
  const wrong: Record<string, string>[] = [
    {},
    basic("ann", "pass"),
    basic("ann", "longer password"),
    basic("", ""),
    bearer("a-long-toke"),
    bearer("a-long-token2"),
    { authorization: "Basic a-long-token" },
    { authorization: "a-long-token" },
    { authorization: "" },
    { "x-forwarded-user": "carol" },
  ];
  for (const headers of wrong) assert.equal(await who({ headers }), 401, JSON.stringify(headers));
});

test("a 401 says how to come in, and says nothing else", async () => {
  const { ask } = await open({ http_auth: TEAM });
  const answer = await ask("/who");
  assert.equal(
    answer.headers.get("www-authenticate"),
    'Basic realm="edge-dispatcher", charset="UTF-8", Bearer realm="edge-dispatcher"',
  );
  assert.equal(answer.headers.get("content-type"), "application/problem+json");
  assert.deepEqual(await answer.json(), {
    type: "about:blank",
    title: "Unauthorized",
    status: 401,
    detail: "Cannot let you in: no credentials, or wrong ones",
    code: "unauthorized",
  });
});

test("a proxy's word counts from its own addresses only", async () => {
  const { who } = await open({ http: "0.0.0.0:1", http_auth: [PROXY] });
  const dave = { "x-forwarded-user": "dave" };
  assert.equal(await who({ from: "10.1.2.3", headers: dave }), "proxy dave viewer");
  assert.equal(await who({ from: "::ffff:10.1.2.3", headers: dave }), "proxy dave viewer");
  assert.equal(await who({ from: "::1", headers: { "x-forwarded-user": "carol" } }), "proxy carol operator");
  // No challenge: whoever reads it could not answer it.
  for (const from of ["10.2.2.3", "127.0.0.1", ""]) {
    assert.equal(await who({ from, headers: dave }), 403, from);
  }
  assert.equal(await who({ from: "10.1.2.3" }), 403);
  assert.equal(await who({ from: "10.1.2.3", headers: { "x-forwarded-user": " " } }), 403);
});

test("a viewer looks and does not act", async () => {
  const { ask } = await open({ http_auth: TEAM });
  const act = (headers: Record<string, string>) => ask("/act", { method: "POST", headers });
  assert.equal((await act(bearer("a-long-token"))).status, 200);
  const answer = await act(basic("ann", "pass:wörd"));
  assert.equal(answer.status, 403);
  const { code, detail } = await answer.json();
  assert.deepEqual([code, detail], [
    "forbidden",
    'Cannot let you do this: "ann" is a viewer, and this needs an operator',
  ]);
});

test("whoever guesses has to wait, and so does nobody elsewhere", async () => {
  const { who, clock } = await open({ http: "0.0.0.0:1", http_auth: TEAM });
  const right = bearer("a-long-token");
  for (let n = 0; n < 20; n++) {
    assert.equal(await who({ headers: bearer(`guess-${n}`), from: "10.0.0.1" }), 401);
  }
  assert.equal(await who({ headers: right, from: "10.0.0.1" }), 429);
  assert.equal(await who({ headers: right, from: "10.0.0.2" }), "bearer deploy operator");
  await clock.advance(2_000);
  assert.equal(await who({ headers: right, from: "10.0.0.1" }), "bearer deploy operator");
});

test("more requests to the API than are allowed are told when to come again", async () => {
  const { ask, clock } = await site({ config: { http_auth: TEAM, http_rate_limit: 2 } });
  const statuses = async (count: number, headers: Record<string, string>) => {
    const asked = Array.from({ length: count }, () => ask("/api/nothing", { headers }));
    return (await Promise.all(asked)).map(({ status }) => status);
  };
  const [ann, deploy] = [basic("ann", "pass:wörd"), bearer("a-long-token")];
  assert.deepEqual(await statuses(5, ann), [404, 404, 404, 404, 429]);
  assert.deepEqual(await statuses(1, deploy), [404]);
  const late = await ask("/api/nothing", { headers: ann });
  assert.equal(late.headers.get("retry-after"), "1");
  assert.equal((await late.json()).code, "too_many_requests");
  assert.equal((await ask("/nothing", { headers: ann })).status, 404, "pages are not counted");
  await clock.advance(1_000);
  assert.deepEqual(await statuses(3, ann), [404, 404, 429]);
});

test("http_rate_limit 0 counts nothing", async () => {
  const { ask } = await site({ config: { http_rate_limit: 0 } });
  const all = await Promise.all(Array.from({ length: 3_000 }, () => ask("/api/nothing")));
  assert.deepEqual(new Set(all.map(({ status }) => status)), new Set([404]));
});
