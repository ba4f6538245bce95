/** What arrives, what is tried again, and what is not, over real servers. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "../../harness.ts";
import { awxDatabase } from "../database.ts";
import { refusal, smtp, web } from "./servers.ts";
import { attach, failedJob, outcomes, tell } from "./site.ts";

const PASSWORD = "hunter2-längst";
const SENT = { status: "successful", tries: 1, error: "" };

function mailTo(port: number, recipients: string[], more: Record<string, unknown> = {}) {
  return { host: "127.0.0.1", port, sender: "Dispatcher <dispatcher@example.com>", recipients, ...more };
}

/** Of a mail, decoded. */
function subjectOf(mail: string): string {
  const [, folded] = /^Subject: (.*(?:\r\n .*)*)/m.exec(mail)!;
  return folded.replace(/\?=\r\n =\?UTF-8\?Q\?/g, "").replace(/^=\?UTF-8\?Q\?|\?=$/g, "").replaceAll("_", " ")
    .replace(/=([0-9A-F]{2})/g, (_, hex) => String.fromCharCode(parseInt(hex, 16)));
}

test("a mail goes to each recipient with what there is to know", async (t) => {
  const site = await awxDatabase(t);
  const logins: unknown[] = [];
  const server = await smtp(t, {
    authOptional: false,
    allowInsecureAuth: true,
    onAuth({ username, password }, _session, done) {
      logins.push([username, password]);
      done(null, { user: username });
    },
  });
  const job = await failedJob(site);
  await attach(
    site,
    "email",
    mailTo(server.port, ["a@example.com", "b@example.com"], {
      username: "me",
      password: PASSWORD,
    }),
  );
  assert.deepEqual(await tell(site, job), { sent: 2, again: [], failed: [] });
  assert.deepEqual(await outcomes(site), { "a@example.com": SENT, "b@example.com": SENT });
  assert.deepEqual(server.mails.map(({ to }) => to).flat().sort(), ["a@example.com", "b@example.com"]);
  const [{ from, text }] = server.mails;
  assert.equal(from, "dispatcher@example.com");
  assert.equal(subjectOf(text), `Job ${job.id} "deploy <web> & more": failed`);
  for (const line of ["Why: web1 did not answer", "Hosts: ok 3, failures 1", "Node: n1"]) {
    assert.ok(text.includes(line), text);
  }
  assert.ok(text.includes(`Page: https://dispatcher.example.com/jobs/${job.id}`), text);
  assert.deepEqual(logins, [["me", PASSWORD], ["me", PASSWORD]]);
  // Told again, nobody hears it twice.
  assert.deepEqual(await tell(site, job), { sent: 0, again: [], failed: [] });
  assert.equal(server.mails.length, 2);
});

test("a recipient who is refused for good is not tried again, one who is put off is, and nobody twice", async (t) => {
  const site = await awxDatabase(t);
  const putOff = [refusal(451, "Greylisted"), refusal(451, "Greylisted")];
  const asked: string[] = [];
  const server = await smtp(t, {
    onRcptTo({ address }, _session, done) {
      asked.push(address);
      if (address.startsWith("nobody")) return done(refusal(550, "No such user here"));
      done(address.startsWith("later") ? putOff.pop() : undefined);
    },
  });
  const job = await failedJob(site);
  const recipients = ["a@example.com", "nobody@example.com", "later@example.com"];
  await attach(site, "email", mailTo(server.port, recipients));
  const first = await tell(site, job);
  assert.deepEqual([first.sent, first.again.length, first.failed.length], [1, 1, 1]);
  assert.match(first.failed[0], /^nobody@example.com: SMTP server 127\.0\.0\.1:\d+: .*550 No such user here/);
  assert.match(first.again[0], /^later@example.com: .*451 Greylisted/);
  assert.equal((await outcomes(site))["later@example.com"].status, "pending");
  assert.equal((await tell(site, job)).again.length, 1);
  const third = await tell(site, job);
  assert.deepEqual([third.sent, third.again, third.failed], [1, [], first.failed]);
  const kept = await outcomes(site);
  assert.deepEqual(kept["a@example.com"], SENT);
  assert.deepEqual(kept["later@example.com"], { status: "successful", tries: 3, error: "" });
  const { status, tries, error } = kept["nobody@example.com"];
  assert.deepEqual([status, tries], ["failed", 1]);
  assert.match(error, /550/);
  assert.equal(asked.filter((address) => address.startsWith("nobody")).length, 1);
  assert.equal(server.mails.length, 2);
});

test("a wrong password is the server's last word, and is nowhere to be read", async (t) => {
  const site = await awxDatabase(t);
  const plain = btoa(String.fromCharCode(...new TextEncoder().encode(`\u0000me\u0000${PASSWORD}`)));
  const server = await smtp(t, {
    authOptional: false,
    allowInsecureAuth: true,
    // One that says too much.
    onAuth: ({ password }, _session, done) => done(refusal(535, `No login with ${password} or ${plain}`)),
  });
  const job = await failedJob(site);
  await attach(site, "email", mailTo(server.port, ["a@example.com"], { username: "me", password: PASSWORD }));
  const { failed } = await tell(site, job);
  assert.match(failed[0], /^a@example.com: .*535 No login with \[redacted\] or \[redacted\]/);
  const kept = JSON.stringify(await outcomes(site));
  for (const secret of [PASSWORD, plain]) assert.ok(!kept.includes(secret) && !failed[0].includes(secret));
});

test("who could not be reached by the last try has failed, until somebody has it told again", async (t) => {
  const site = await awxDatabase(t);
  const server = await web(t, { status: 503 }, { status: 503 }, { status: 200 });
  const job = await failedJob(site);
  await attach(site, "webhook", { url: server.origin });
  assert.equal((await tell(site, job)).again.length, 1);
  const { again, failed } = await tell(site, job, { last: true });
  assert.deepEqual([again, failed], [[], [`${server.origin}: ${server.origin}: answered 503`]]);
  assert.equal((await outcomes(site))[server.origin].status, "failed");
  assert.deepEqual(await tell(site, job), { sent: 1, again: [], failed: [] });
});

test("TLS that was asked for is not done without, and a certificate is looked at", async (t) => {
  const site = await awxDatabase(t);
  const pem = (name: string) => readFileSync(new URL(`../../fixtures/tls/server.${name}`, import.meta.url));
  const tls = { key: pem("key"), cert: pem("crt") };
  const plain = await smtp(t);
  const [later, first] = [
    await smtp(t, { ...tls, disabledCommands: [] }),
    await smtp(t, { ...tls, secure: true }),
  ];
  const job = await failedJob(site);
  await attach(site, "email", mailTo(plain.port, ["plain@example.com"], { use_tls: true }));
  await attach(site, "email", mailTo(later.port, ["later@example.com"], { use_tls: true }));
  await attach(site, "email", mailTo(first.port, ["first@example.com"], { use_ssl: true }));
  const { sent, again, failed } = await tell(site, job);
  assert.equal(sent, 0);
  assert.match(failed.join(), /^plain@example.com: .*STARTTLS/);
  assert.deepEqual(again.map((text) => /^(\w+)@.*certificate/.exec(text)?.[1]).sort(), ["first", "later"]);
  assert.deepEqual([plain, later, first].map(({ mails }) => mails.length), [0, 0, 0]);
  // Without being asked it speaks plainly, although the server could do otherwise.
  await attach(site, "email", mailTo(later.port, ["open@example.com"]));
  assert.equal((await tell(site, job)).sent, 1);
});

test("a Slack-shaped webhook gets a text, a colour and a channel; its URL is a secret", async (t) => {
  const site = await awxDatabase(t);
  const server = await web(t, { status: 503, text: "no /services/T0/B0/xoxSecret today" }, { status: 200 });
  const job = await failedJob(site);
  const url = `${server.origin}/services/T0/B0/xoxSecret`;
  await attach(site, "slack", { url, channel: "#ops" });
  const { again } = await tell(site, job);
  assert.equal(again[0], `#ops: ${server.origin}: answered 503 no [redacted] today`);
  assert.ok(!JSON.stringify(await outcomes(site)).includes("xoxSecret"));
  await assert.rejects(tell(site, job, { signal: AbortSignal.abort() }), /abort/i);
  assert.equal(server.hits.length, 1, "what was stopped sends nothing");
  assert.deepEqual(await tell(site, job), { sent: 1, again: [], failed: [] });
  const { method, path, body } = server.hits[1];
  assert.deepEqual([method, path], ["POST", "/services/T0/B0/xoxSecret"]);
  const { channel, text, attachments: [attachment] } = body as {
    channel: string;
    text: string;
    attachments: Record<string, string>[];
  };
  assert.equal(channel, "#ops");
  assert.equal(text, `Job ${job.id} "deploy &lt;web&gt; &amp; more": failed`);
  assert.equal(attachment.color, "#a30200");
  assert.equal(attachment.title_link, `https://dispatcher.example.com/jobs/${job.id}`);
  assert.match(attachment.text, /Hosts: ok 3, failures 1/);
  assert.deepEqual(await outcomes(site), { "#ops": { status: "successful", tries: 2, error: "" } });
});

test("an answer that is cut shows no piece of a secret", async (t) => {
  const site = await awxDatabase(t);
  const secret = "s3cret-".repeat(20);
  const server = await web(t, { status: 500, text: secret.repeat(1_000) });
  const job = await failedJob(site);
  await attach(site, "webhook", { url: server.origin, password: secret });
  const [reason] = (await tell(site, job)).again;
  assert.match(reason, /answered 500 (\[redacted\])+/);
  assert.ok(!reason.includes("s3c"), reason);
});

test("a webhook gets the facts as JSON, with its method, headers and password, and a key that does not change", async (t) => {
  const site = await awxDatabase(t);
  const server = await web(t, { status: 429 }, { status: 204 });
  const job = await failedJob(site);
  await attach(site, "webhook", {
    url: `${server.origin}/hook?token=tok-en`,
    http_method: "PUT",
    headers: { "X-Own": "very own" },
    username: "me",
    password: PASSWORD,
  });
  assert.equal((await tell(site, job)).again.length, 1);
  assert.equal((await tell(site, job)).sent, 1);
  const [first, { method, path, headers, body }] = server.hits;
  assert.deepEqual([method, path, headers["x-own"]], ["PUT", "/hook?token=tok-en", "very own"]);
  const [scheme, encoded] = headers.authorization!.split(" ");
  const bytes = Uint8Array.from(atob(encoded), (char) => char.charCodeAt(0));
  assert.deepEqual([scheme, new TextDecoder().decode(bytes)], ["Basic", `me:${PASSWORD}`]);
  assert.match(headers["idempotency-key"] as string, /^[0-9a-f]{32}$/);
  assert.equal(headers["idempotency-key"], first.headers["idempotency-key"]);
  const { subject, ...facts } = body as Record<string, unknown>;
  assert.match(subject as string, /: failed$/);
  assert.deepEqual(facts, {
    event: "error",
    id: job.id,
    name: "deploy <web> & more",
    kind: "job",
    status: "failed",
    launch_type: "manual",
    url: `https://dispatcher.example.com/jobs/${job.id}`,
    explanation: "web1 did not answer",
    created: job.created,
    started: job.started,
    finished: job.finished,
    elapsed: 60,
    execution_node: "n1",
    workflow_job_id: null,
    host_status_counts: { ok: 3, failures: 1, dark: 0 },
  });
});

test("an answer says whether there is a next try: 4xx and redirects do not, 5xx, 408, 429 and silence do", async (t) => {
  const site = await awxDatabase(t);
  const job = await failedJob(site);
  const elsewhere = await web(t, { status: 200 });
  const answers: [number, "again" | "failed"][] = [
    [400, "failed"],
    [404, "failed"],
    [302, "failed"],
    [408, "again"],
    [429, "again"],
    [500, "again"],
  ];
  const expected: Record<string, string> = {};
  for (const [status, verdict] of answers) {
    const { origin } = await web(t, { status, headers: { location: elsewhere.origin }, text: "sec-ret" });
    await attach(site, "webhook", { url: `${origin}/sec-ret`, password: PASSWORD });
    expected[origin] = verdict;
  }
  const silent = await web(t, null);
  await attach(site, "webhook", { url: `${silent.origin}/sec-ret`, timeout: 0.2 });
  expected[silent.origin] = "again";
  // Nobody listens on port 1.
  await attach(site, "webhook", { url: "http://user:sec-ret@127.0.0.1:1/sec-ret" });
  expected["http://127.0.0.1:1"] = "again";
  const { sent, again, failed } = await tell(site, job);
  const got = [...again.map((text) => [text, "again"]), ...failed.map((text) => [text, "failed"])];
  assert.deepEqual(
    Object.fromEntries(got.map(([text, verdict]) => [/^\S+(?=: )/.exec(text)![0], verdict])),
    expected,
  );
  assert.equal(sent, 0);
  assert.equal(elsewhere.hits.length, 0);
  const kept = await outcomes(site);
  assert.ok(!JSON.stringify([kept, again, failed]).includes("sec-ret"), JSON.stringify(kept));
  for (const { error } of Object.values(kept)) assert.match(error, /^http:\/\/127\.0\.0\.1:\d+: \S/);
  assert.match(kept[silent.origin].error, /it did not answer in time$/);
});
