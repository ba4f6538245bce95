/** The dashboard as a browser without scripts has it: every page, every action, in the test's own process. */
import assert from "node:assert/strict";
import type { Client } from "../../runtime/client.ts";
import type { Credential } from "../../runtime/http_access.ts";
import { connect } from "../../mod.ts";
import { seal } from "../../runtime/envelope.ts";
import { cluster } from "../integration/cluster.ts";
import { database, eventually, test, type TestContext } from "../harness.ts";
import { bearer, site } from "./site.ts";
import { visitor } from "./visitor.ts";

const CREDENTIALS: Credential[] = [
  { kind: "basic", role: "operator", user: "ada", password: "long-password" },
  { kind: "bearer", role: "viewer", name: "screen", token: "viewer-token" },
];
const PAGES = [
  "/",
  "/envelopes",
  "/queues",
  "/nodes",
  "/schedules",
  "/failures",
  "/receivers",
  "/system",
  "/charts",
  "/help",
];

async function open(t: TestContext, config = {}) {
  const db = await database({ migrated: true });
  t.after(() => db.drop());
  const client = await connect({ databaseUrl: db.url });
  t.after(() => client.close());
  const made = await site({ client, config });
  return { ...made, client, ...visitor(made) };
}

const stateOf = async (client: Client, uuid: string) => (await client.find(uuid))[0].state;

/** Run what waits and let it end so. */
async function end(client: Client, uuid: string): Promise<void> {
  await client.discard([uuid], "RangeError 4711");
}

test("every page is whole without a script, and asks nobody else for anything", async (t) => {
  const { get, client } = await open(t);
  const { uuid } = await client.publish("mail/welcome", [{ to: "ada", password: "hunter2" }], {
    kwargs: { token: "never-shown" },
    queue: "mail",
  });
  const { uuid: dead } = await client.publish("mail/lost", []);
  await end(client, dead);
  for (const path of [...PAGES, `/envelopes/${uuid}`, `/envelopes/${dead}`]) {
    const { status, text } = await get(path);
    assert.equal(status, 200, `${path}: ${text}`);
    for (const part of ["<main", "<nav", "<h1", "<footer", 'lang="en"', 'class="skip"']) {
      assert.ok(text.includes(part), path);
    }
    assert.doesNotMatch(text, /(?:src|href|action)="(?:https?:)?\/\//, path);
    assert.doesNotMatch(text, /hunter2|never-shown/, path);
    assert.doesNotMatch(text, /\sstyle="|<script>|\son\w+="/, `${path} needs no exception from its policy`);
  }
  const { text } = await get("/");
  assert.match(text, /1 envelope waits in queue &quot;mail&quot;, which no node works on/);
  assert.match(text, /No node is alive: nothing is run/);
  assert.match((await get(`/envelopes/${uuid}`)).text, /\[redacted\]/);
});

test("the files of the pages come from the node, and may be kept under their version", async (t) => {
  const { get, ask } = await open(t);
  const files = (await get("/help")).text.match(/\/assets\/[\w.]+\?v=\w+/g)!;
  assert.ok(files.length >= 5);
  for (const file of files) {
    const response = await ask(file);
    assert.equal(response.status, 200, file);
    assert.match(response.headers.get("cache-control")!, /immutable/);
    assert.ok((await response.text()).length > 500, file);
  }
  assert.equal((await ask("/assets/..%2Fapp.ts")).status, 404);
});

test("one search box: a uuid opens, words narrow, and what is hidden cannot be guessed", async (t) => {
  const { get, client } = await open(t);
  const { uuid } = await client.publish("mail/welcome", [{ id: 42, password: "hunter2" }], { queue: "mail" });
  const { uuid: other } = await client.publish("mail/other", [{ id: 43 }]);
  const opened = await get(`/envelopes?q=${uuid.slice(0, 30)}`);
  assert.deepEqual([opened.status, opened.location], [302, `/envelopes/${uuid.slice(0, 30)}`]);
  const found = async (q: string) => {
    const { text } = await get(`/envelopes?q=${encodeURIComponent(q)}`);
    return [uuid, other].filter((one) => text.includes(one));
  };
  assert.deepEqual(await found("task:mail/*"), [uuid, other]);
  assert.deepEqual(await found("args.id:42"), [uuid]);
  assert.deepEqual(await found("queue:mail state:available"), [uuid]);
  assert.deepEqual(await found("state:running"), []);
  assert.deepEqual(await found("args.password:hunter2"), []);
  const { text } = await get("/envelopes?q=args.password:hunter2+stat:x");
  assert.match(text, /Cannot search by &quot;args.password:&quot;: its value is hidden/);
  assert.match(text, /Cannot search by &quot;stat:&quot;; did you mean|Cannot search by &quot;stat:&quot;/);
  assert.equal((await get("/envelopes/0000-beef")).status, 404);
});

test("who looks for a page that is not there gets one that says so; programs get a problem", async (t) => {
  const { ask } = await open(t);
  const browser = await ask("/nowhere", { headers: { accept: "text/html,*/*" } });
  assert.equal(browser.status, 404);
  assert.match(await browser.text(), /Cannot show &quot;\/nowhere&quot;: no such page/);
  const program = await ask("/nowhere");
  assert.deepEqual([program.status, JSON.parse(await program.text()).code], [404, "not_found"]);
  const api = await ask("/api/nowhere", { headers: { accept: "text/html" } });
  assert.equal(JSON.parse(await api.text()).code, "not_found");
});

test("pages of envelopes lead from one to the next by their URL alone", async (t) => {
  const { get, client } = await open(t);
  await client.publishMany(Array.from({ length: 60 }, () => ({ task: "a" })));
  const { text } = await get("/envelopes");
  const uuids = (page: string) => new Set(page.match(/name="uuid"\s+value="[^"]+"/g));
  const [, next] = /rel="next"\s+href="([^"]+)"/.exec(text)!;
  const second = await get(next.replaceAll("&amp;", "&"));
  assert.deepEqual([uuids(text).size, uuids(second.text).size], [50, 10]);
  assert.equal(uuids(text).union(uuids(second.text)).size, 60);
});

test("queues are paused, resumed, and purged by who types the name", async (t) => {
  const { act, get, client } = await open(t);
  const { uuid } = await client.publish("a", [], { queue: "mail" });
  assert.equal(await act("/act/queue/pause", { queue: "mail" }), 'Queue "mail" is paused');
  assert.match((await get("/queues")).text, /paused/);
  assert.equal(await act("/act/queue/resume", { queue: "mail" }), 'Queue "mail" goes on');
  assert.match((await get("/ask/queue/purge?queue=mail")).text, /Type <b class="mono">mail<\/b>/);
  assert.match(
    await act("/act/queue/purge", { queue: "mail", typed: "mial" }),
    /Nothing was purged: "mial" is not "mail"/,
  );
  assert.equal(await stateOf(client, uuid), "available");
  assert.equal(
    await act("/act/queue/purge", { queue: "mail", typed: "mail" }),
    'Purged queue "mail": cancelled 1 envelope',
  );
  assert.equal(await stateOf(client, uuid), "cancelled");
  const acts = (await client.audits()).map(({ action, ok, count }) => [action, ok, count]);
  assert.deepEqual(acts.reverse(), [["pause", true, 1], ["resume", true, 1], ["purge", false, 0], [
    "purge",
    true,
    1,
  ]]);
});

test("envelopes are cancelled, discarded, retried, one or many, and copied", async (t) => {
  const { act, get, client } = await open(t);
  const publish = async (task = "a") => (await client.publish(task, [1], { kwargs: { k: 1 } })).uuid;
  const [one, two, three] = [await publish(), await publish(), await publish("b")];
  assert.match((await get(`/ask/envelopes/cancel?uuid=${one}&uuid=${two}`)).text, /Cancel 2 envelopes/);
  assert.equal(await act("/act/envelopes/cancel", { uuid: [one, two] }), "Cancelled 2 envelopes");
  assert.equal(
    await act("/act/envelopes/discard", { uuid: three, reason: "no use" }),
    "Discarded 1 envelope",
  );
  assert.equal((await client.find(three))[0].error?.message, "no use");
  assert.match((await get("/ask/envelopes/retry?all=yes&q=state:cancelled")).text, /Retry 2 envelopes/);
  assert.equal(
    await act("/act/envelopes/retry", { all: "yes", q: "state:cancelled" }),
    "Retried 2 envelopes",
  );
  assert.equal(
    await act("/act/envelopes/cancel", { uuid: [one, three] }),
    "Cancelled 1 envelope; 1 was discarded",
  );
  assert.match((await get(`/ask/envelopes/copy?uuid=${two}`)).text, /Publish a copy/);
  const [, copy] = /^Published a copy: (.+)$/.exec(await act("/act/envelopes/copy", { uuid: two }))!;
  const [row] = await client.find(copy);
  assert.deepEqual([row.task, row.args, row.kwargs], ["a", [1], { k: 1 }]);
  assert.match(await act("/act/envelopes/cancel", {}), /Nothing was chosen/);
});

test("a group of failures is retried", async (t) => {
  const { act, get, client } = await open(t);
  const dead = await client.publishMany([1, 2, 3].map((n) => ({ task: "mail/lost", args: [n] })));
  await client.discard(dead.map(({ uuid }) => uuid), "Lost number 4711");
  const { text } = await get("/failures");
  assert.match(text, /Lost number #/);
  const [, link] = /href="(\/ask\/failures\/retry[^"]+)"/.exec(text)!;
  assert.match((await get(link.replaceAll("&amp;", "&"))).text, /Retry 3 envelopes/);
  const group = { task: "mail/lost", error: "Discarded", message: "Lost number #" };
  assert.equal(await act("/act/failures/retry", group), "Retried 3 envelopes");
  assert.equal(await stateOf(client, dead[0].uuid), "available");
});

test("schedules are shown in words and run, paused, resumed", async (t) => {
  const { node, client } = await cluster(t);
  const schedules = {
    nightly: { task: "examples/add", args: [1, 2], cron: "30 4 * * 1-5" },
    pulse: { task: "examples/add", args: [1, 2], every: 1 },
    sweep: { task: "examples/add", args: [1, 2], cron: "0 5 * * *", scope: "node" },
  };
  const { http } = await node({ name: "n", workers: 1, http: true, config: { schedules } });
  const text = async () => await (await fetch(`${http}/schedules`)).text();
  assert.match(await text(), /At 04:30, Monday through Friday/);
  assert.equal((await text()).match(/04:30:00<\/li>/g)?.length, 3, "the next three runs");
  assert.equal((await text()).match(/05:00:00<\/li>/g)?.length, 3, "of a node's own too");
  assert.match(
    await text(),
    /<b>sweep<\/b>[^]*?At 05:00[^]*?examples\/add<\/span>\s*<span class="dim">on n<\/span>/,
  );
  assert.doesNotMatch(await text(), /Pause schedule sweep/);
  const [, token] = /name="_csrf"\s+value="([^"]+)"/.exec(await text())!;
  const act = async (verb: string) => {
    const body = new URLSearchParams({ _csrf: token, schedule: "nightly", back: "/schedules" });
    const options = { method: "POST", body, redirect: "manual" } as const;
    return decodeURIComponent(
      (await fetch(`${http}/act/schedule/${verb}`, options)).headers.get("set-cookie")!,
    );
  };
  assert.match(await act("run"), /Published what schedule \\"nightly\\" publishes/);
  assert.match(await act("pause"), /is paused/);
  assert.equal((await client.schedules())[0].enabled, false);
  assert.match(await act("resume"), /goes on from now/);
  await eventually(async () => /class="cell good"/.test(await text()));
});

test("a viewer sees no buttons and cannot act", async (t) => {
  const { ask, client } = await open(t, { http_auth: CREDENTIALS });
  const { uuid } = await client.publish("a");
  for (const path of [...PAGES, `/envelopes/${uuid}`]) {
    const text = await (await ask(path, { headers: bearer("viewer-token") })).text();
    assert.doesNotMatch(text, /\/act\/|\/ask\//, path);
  }
  const asked = await ask(`/ask/envelopes/cancel?uuid=${uuid}`, { headers: bearer("viewer-token") });
  assert.equal(asked.status, 403);
  const body = new URLSearchParams({ uuid });
  const acted = await ask("/act/envelopes/cancel", { method: "POST", body, headers: bearer("viewer-token") });
  assert.equal(acted.status, 403);
  assert.equal(await stateOf(client, uuid), "available");
});

test("a form without its token, or from another site, does nothing", async (t) => {
  const { ask, client } = await open(t);
  const { uuid } = await client.publish("a");
  const send = (headers: Record<string, string>) =>
    ask("/act/envelopes/cancel", { method: "POST", body: new URLSearchParams({ uuid }), headers });
  assert.equal((await send({ "sec-fetch-site": "same-origin" })).status, 403);
  assert.equal((await send({ "sec-fetch-site": "cross-site" })).status, 403);
  assert.equal(await stateOf(client, uuid), "available");
});

test("nobody is led to another site, and nothing typed becomes markup", async (t) => {
  const { act, get, ask } = await open(t);
  await act("/taste", { back: "//evil.example/", theme: "dark" });
  assert.match((await get("/help")).text, /data-theme="dark"/);
  const evil = `<img src=x onerror=alert(1)>`;
  const { text } = await get(`/envelopes?q=${encodeURIComponent(`${evil} "><script>`)}`);
  assert.ok(!text.includes("<img") && !text.includes("<script>"));
  assert.equal((await ask("/ask/queue/purge?queue=x&back=//evil.example")).status, 200);
});

test("under a base path every link has it", async (t) => {
  const { ask } = await open(t, { http_base_path: "/ops" });
  for (const path of ["/ops", "/ops/queues"]) {
    const response = await ask(path);
    const text = await response.text();
    assert.equal(response.status, 200, path);
    const links = [...text.matchAll(/(?:href|src|action)="(\/[^"]*)"/g)].map(([, link]) => link);
    assert.deepEqual(links.filter((link) => !link.startsWith("/ops")), []);
  }
});

test("without its database a page says so", async () => {
  const { ask } = await site();
  const response = await ask("/queues");
  assert.equal(response.status, 503);
  assert.match(await response.text(), /No database/);
});

test("an encrypted envelope is shown as that", async (t) => {
  const { get, client } = await open(t);
  const { uuid } = seal("a", []);
  await client.publish("a", [{ $enc: { k: "k1", iv: "aaaa", ct: "bbbb" } }], { uuid });
  assert.match((await get(`/envelopes/${uuid}`)).text, /\[encrypted\]/);
});
