/** Configurations, messages, and words without secrets. */
import assert from "node:assert/strict";
import type { UnifiedJob } from "../../../tasks/jobs/model/unified_job.ts";
import { notificationConfig, readConfiguration } from "../../../tasks/notifications/configuration.ts";
import { networkReason, secretsOf, withoutSecrets } from "../../../tasks/notifications/failure.ts";
import { messageOf } from "../../../tasks/notifications/message.ts";
import { test } from "../../harness.ts";

const EMAIL = { host: "mail", sender: "me@example.com", recipients: ["a@example.com"] };

test("readConfiguration() fills in defaults, and names the field that is wrong but not its value", () => {
  assert.deepEqual(readConfiguration("email", EMAIL), {
    kind: "email",
    config: { ...EMAIL, port: 25, use_ssl: false, use_tls: false, timeout: 30 },
  });
  assert.deepEqual(notificationConfig.webhook.parse({ url: "https://x.example/a" }), {
    url: "https://x.example/a",
    http_method: "POST",
    headers: {},
    timeout: 30,
  });
  const wrong = [
    ["email", { ...EMAIL, recipients: [] }, /^recipients: an email needs a recipient/],
    ["email", { ...EMAIL, recipients: ["s3cret\nbcc: x@y"] }, /^recipients\.0: /],
    ["email", { ...EMAIL, sender: "s3cret\r\nBcc: x" }, /^sender: it has a control character/],
    ["email", { ...EMAIL, use_tls: true, use_ssl: true }, /^use_tls: it is use_ssl or use_tls/],
    ["slack", { url: "file:///s3cret" }, /^url: it is no http or https URL/],
    ["slack", { url: "https://h", color: "s3cret" }, /^color: it is no colour/],
    ["webhook", { url: "https://h", headers: { "x y": "s3cret" } }, /^headers\.x y: /],
    ["webhook", { url: "https://h", http_method: "GET" }, /^http_method: /],
    ["webhook", "s3cret", /expected object/],
  ] as const;
  for (const [kind, value, why] of wrong) {
    const said = readConfiguration(kind, value);
    assert.ok(typeof said === "string", JSON.stringify(value));
    assert.match(said, why);
    assert.doesNotMatch(said, /s3cret/);
  }
});

test("messageOf() tells of a start what was true then, and of an end all", () => {
  const job = {
    id: 7,
    name: "deploy\nnow",
    kind: "workflow_job",
    status: "successful",
    launch_type: "scheduled",
    job_explanation: "",
    created: "2026-01-01T10:00:00+00:00",
    started: "2026-01-01T10:00:01+00:00",
    finished: "2026-01-01T10:00:03+00:00",
    elapsed: 2.04,
    execution_node: "",
    workflow_job_id: null,
    host_status_counts: { ok: 2, skipped: 0 },
  } as Partial<UnifiedJob> as UnifiedJob;
  const started = messageOf({ job, event: "started" });
  assert.equal(started.subject, 'Workflow job 7 "deploy now": running');
  assert.deepEqual([started.facts.finished, started.facts.host_status_counts, started.facts.url], [
    null,
    null,
    "",
  ]);
  assert.doesNotMatch(started.text, /Finished|Took|Hosts|Page|Why|Node/);
  const ended = messageOf({ job, event: "success", baseUrl: "https://d.example/dispatcher//" });
  assert.equal(ended.subject, 'Workflow job 7 "deploy now": successful');
  assert.equal(ended.facts.url, "https://d.example/dispatcher/jobs/7");
  assert.match(ended.text, /^Took: 2\.0 s$/m);
  assert.match(ended.text, /^Hosts: ok 2$/m);
});

test("withoutSecrets() hides them plain, in URLs and in base64, and bounds the rest to a line", () => {
  const secret = "pä ss/word";
  const forms = [secret, encodeURIComponent(secret), btoa("p\u00c3\u00a4 ss/word")];
  const shown = withoutSecrets(`a ${forms.join(" b ")} c`, [secret, undefined, ""]);
  assert.equal(shown, "a [redacted] b [redacted] b [redacted] c");
  assert.equal(withoutSecrets("pin 12", ["12"]), "pin [redacted]");
  assert.equal(withoutSecrets("one\n\ttwo\u0000three", []), "one two three");
  assert.equal(withoutSecrets("x".repeat(1_000), []).length, 301);
});

test("secretsOf() a URL are its credentials, its path and its query, not where it leads", () => {
  const url = "https://user1:pass1@hooks.example/services/T00/tok%20en?key=abcd";
  const shown = withoutSecrets(`${url} T00 tok en /services/T00 abcd pass1 hooks.example`, secretsOf(url));
  assert.match(shown, /hooks\.example$/);
  for (const secret of ["tok", "abcd", "pass1", "user1"]) assert.ok(!shown.includes(secret), shown);
});

test("networkReason() is the innermost code, and never an address", () => {
  const refused = Object.assign(new Error("connect ECONNREFUSED http://h/s3cret"), { code: "ECONNREFUSED" });
  assert.equal(networkReason(new TypeError("fetch failed", { cause: refused })), "ECONNREFUSED");
  assert.equal(networkReason(new DOMException("", "TimeoutError")), "it did not answer in time");
  const deno = new TypeError("error sending request for url (http://h/s3cret): refused");
  assert.doesNotMatch(networkReason(deno), /s3cret/);
  assert.equal(networkReason("text"), "it cannot be reached");
});
