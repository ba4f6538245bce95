import assert from "node:assert/strict";
import { callText, redact, shownRow } from "../runtime/redact.ts";
import { test } from "./harness.ts";

test("redact() hides what is named like a secret, at any depth and in any spelling", () => {
  const names = [
    "password",
    "PASSWORD",
    "db_passwd",
    "passphrase",
    "become_pass",
    "client_secret",
    "accessToken",
    "api_key",
    "apiKey",
    "ssh_private_key",
    "credential",
    "Authorization",
    "set-cookie",
  ];
  for (const name of names) {
    const shown = JSON.stringify(redact([{ list: [{ [name]: "hunter2" }] }]));
    assert.ok(!shown.includes("hunter2"), shown);
    assert.ok(shown.includes(name), shown);
  }
});

test("redact() hides a whole object under such a name", () => {
  assert.deepEqual(redact([{ credentials: { user: "u", key: "k" } }]), [{ credentials: "[redacted]" }]);
});

test("redact() shows everything else as it is", () => {
  const plain = [1, null, true, "text", { user: "u", nested: [{ id: 7 }], empty: {} }, []];
  assert.deepEqual(redact(plain), plain);
});

test("redact() hides the password of an address and shows the rest", () => {
  const cases: [string, string][] = [
    ["postgres://u:hunter2@h:5432/db", "postgres://u:[redacted]@h:5432/db"],
    ["redis://:hunter2@h/0", "redis://:[redacted]@h/0"],
    ["amqp://u:hun@ter2@h", "amqp://u:[redacted]@h"],
    ["https://u:hun/ter2@h/x", "https://u:[redacted]@h/x"],
    [
      "clone https://u:hunter2@a/x and https://v:hunter2@b/y",
      "clone https://u:[redacted]@a/x and https://v:[redacted]@b/y",
    ],
    ["https://h:8443/path", "https://h:8443/path"],
    ["https://u@h/path", "https://u@h/path"],
    ["mail me@example.org", "mail me@example.org"],
  ];
  for (const [text, shown] of cases) assert.equal(redact(text), shown);
});

test("redact() cuts a long text and says how long it was", () => {
  assert.equal(redact("x".repeat(200)), "x".repeat(200));
  assert.equal(redact("x".repeat(201)), `${"x".repeat(200)}… (201 characters)`);
});

test("redact() hides a password that stands where a long text is cut", () => {
  const text = `${"x".repeat(180)} postgres://u:hunter2hunter2@h/db`;
  assert.ok(!String(redact(text)).includes("hunter2"));
});

test("callText() puts a call on one line of bounded length", () => {
  assert.equal(callText("examples/add", [1, 2]), "examples/add(*[1,2])");
  assert.equal(
    callText("a", [{ password: "hunter2" }, "two\nlines"]),
    'a(*[{"password":"[redacted]"},"two\\nlines"])',
  );
  const long = callText("a", Array.from({ length: 1_000 }, (_, i) => i));
  assert.ok(long.length < 320 && long.endsWith("…)"), long);
});

test("shownRow() has no keyword arguments, not those of callbacks either", () => {
  const call = { task: "t", args: [{ token: "hunter2" }], kwargs: { plain: "hunter2" } };
  const options = { guid: "g", callbacks: [call, null], errbacks: [call] };
  const shown = shownRow({
    uuid: "u",
    args: [{ token: "hunter2" }],
    kwargs: { plain: "hunter2" },
    options,
    progress: null,
    result: 1,
  });
  assert.ok(!JSON.stringify(shown).includes("hunter2"), JSON.stringify(shown));
  assert.deepEqual(shown.options, {
    guid: "g",
    callbacks: [{ task: "t", args: [{ token: "[redacted]" }] }, { task: null, args: [] }],
    errbacks: [{ task: "t", args: [{ token: "[redacted]" }] }],
  });
});
