/**
 * The commands that read, as they look: at 80 and 120 columns, on a terminal and in a pipe, for people and for programs.
 * What is meant stands in `golden/`; after a change that is wanted: UPDATE_GOLDEN=1 deno test -A tests/cli/golden.test.ts
 */
import assert from "node:assert/strict";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { readArgs } from "../../cli/args.ts";
import { COMMANDS } from "../../cli/commands/index.ts";
import { ratesOf } from "../../cli/commands/queue.ts";
import { writeFindings } from "../../cli/commands/doctor.ts";
import { eventLine } from "../../cli/commands/events.ts";
import { topScreen } from "../../cli/top/screen.ts";
import { test } from "../harness.ts";
import { fakeIO } from "./fake_io.ts";
import { fakeClient, NOW, ONE, STATUS } from "./golden_site.ts";

const CASES = [
  "list",
  `show ${ONE.slice(0, 35)}3`,
  `why ${ONE}`,
  `logs ${ONE}`,
  "queue list",
  "node list",
  "node ping",
  "node show alpha",
  "schedule list",
  "failures",
  "status",
  "running",
];
const VARIANTS = [80, 120].flatMap((columns) => [true, false].map((tty) => ({ columns, tty })));

function compare(name: string, text: string): void {
  const file = fileURLToPath(new URL(`golden/${name.replace(/\W+/g, "_")}.txt`, import.meta.url));
  if (process.env.UPDATE_GOLDEN) writeFileSync(file, text);
  assert.ok(existsSync(file), `no ${file}: run with UPDATE_GOLDEN=1`);
  assert.equal(text, readFileSync(file, "utf8"));
}

/** What a command prints, with the time standing still. */
async function printed(line: string, more: { tty: boolean; columns: number }): Promise<string> {
  const words = line.split(" ");
  const name = [words.slice(0, 2).join(" "), words[0]].find((one) => Object.hasOwn(COMMANDS, one))!;
  const command = COMMANDS[name];
  const io = fakeIO(more);
  const { now } = Date;
  Date.now = () => NOW;
  try {
    const code = await command.run({
      ...readArgs(words.slice(name.split(" ").length), command.flags),
      io,
      config: () => Promise.reject(new Error("it needs no configuration")),
      client: () => Promise.resolve(fakeClient),
    });
    const err = io.errLines.map((text) => `stderr: ${text}\n`).join("");
    return `${io.outLines.map((text) => `${text}\n`).join("")}${err}exit: ${code ?? 0}\n`;
  } finally {
    Date.now = now;
  }
}

for (const line of CASES) {
  const name = line.replace(/ 0199.*/, "").replace(" alpha", "");
  test(`${name} looks as it is meant to`, async () => {
    const parts = [];
    for (const variant of VARIANTS) {
      const text = await printed(line, variant);
      parts.push(`--- ${variant.columns} columns, ${variant.tty ? "terminal" : "pipe"}\n${text}`);
    }
    // Programs read the same, wherever it goes.
    const json = await Promise.all([await printed(`${line} --json`, VARIANTS[0])]);
    for (const variant of VARIANTS) assert.equal(await printed(`${line} --json`, variant), json[0]);
    compare(name, [...parts, `--- JSON\n${json[0]}`].join(""));
    for (const text of [...parts, ...json]) assert.ok(!text.includes("hunter2"), "a secret is shown");
    for (const text of json[0].split("\n").filter((one) => one.startsWith("{"))) {
      for (const key of text.matchAll(/"([^"]+)":/g)) assert.match(key[1], /^[a-z_]+$|^worker-/);
    }
  });
}

test("no line on a terminal is wider than it, where lines are tables", async () => {
  for (const line of ["list", "queue list", "node list", "schedule list", "failures"]) {
    for (const columns of [80, 120]) {
      const text = await printed(line, { tty: true, columns });
      assert.deepEqual(text.split("\n").filter((one) => one.length > columns), [], `${line} at ${columns}`);
    }
  }
});

test("findings of the doctor look as they are meant to", () => {
  const findings = [
    { check: "database", status: "ok" as const, text: "PostgreSQL 18.4 answers" },
    {
      check: "schema",
      status: "failed" as const,
      text: "The index a is missing",
      repair: "create index a\n  on b (c);",
    },
    { check: "nodes", status: "warning" as const, text: "No node is alive", repair: "cli dispatcher" },
  ];
  const parts = [{}, { repair: true }, { json: true }].map((flags) => {
    const io = fakeIO();
    const code = writeFindings(io, findings, flags);
    return `--- ${Object.keys(flags)[0] ?? "human"}\n${io.outLines.join("\n")}\nexit: ${code}\n`;
  });
  compare("doctor", parts.join(""));
});

test("events look as they are meant to", () => {
  const at = new Date(NOW).toISOString();
  const events = [
    { event: "claimed", at, node: "alpha", uuid: ONE, task: "examples/add", queue: "default", attempt: 1 },
    { event: "attempt.retry", at, node: "alpha", uuid: ONE, worker: "1.2", ms: null, error: "Error: a\nb" },
    { event: "node.draining", at, node: "alpha", level: "info", text: "Draining" },
    { event: "pool", at, node: "alpha", level: "error", text: "Worker host 5 died", host: 5 },
  ];
  compare("events", events.map((event) => `${eventLine(event)}\n`).join(""));
});

for (const columns of [60, 80, 120]) {
  test(`top at ${columns} columns looks as it is meant to, and nothing is wider or longer`, async () => {
    const look = {
      at: new Date(NOW),
      nodes: await fakeClient.nodes(),
      answers: new Map([["alpha", STATUS as never]]),
      queues: await fakeClient.queues(),
      rates: ratesOf(await fakeClient.rates()),
      fault: null,
    };
    const view = { columns, rows: 20, paused: false, scroll: 0 };
    const { lines } = topScreen(look, view);
    assert.equal(lines.length, 20);
    assert.ok(lines.every((line) => line.length <= columns));
    compare(`top ${columns}`, `${lines.join("\n")}\n`);
    const away = topScreen({ ...look, fault: "Database does not answer" }, { ...view, paused: true });
    assert.match(away.lines[0], columns > 100 ? /\[PAUSED\]$/ : /^edge-dispatcher/);
    assert.equal(away.lines[1], "! Database does not answer");
  });
}

test("top scrolls what runs, no further than there is something", async () => {
  const many = Array.from(
    { length: 50 },
    (_, i) => ({ uuid: `u${i}`, task: "t", args: [], seconds: 100 - i }),
  );
  const status = { ...STATUS, workers: [{ ...STATUS.workers[0], running: many }] };
  const look = {
    at: new Date(NOW),
    nodes: (await fakeClient.nodes()).slice(0, 1),
    answers: new Map([["alpha", status as never]]),
    queues: [],
    rates: new Map(),
    fault: null,
  };
  const at = (scroll: number) => topScreen(look, { columns: 100, rows: 18, paused: false, scroll });
  const shown = (scroll: number) =>
    at(scroll).lines.filter((line) => / u\d+ /.test(line)).map((line) => / (u\d+) /.exec(line)![1]);
  assert.equal(shown(0)[0], "u0");
  assert.equal(shown(3)[0], "u3");
  assert.equal(shown(1_000).at(-1), "u49");
  assert.equal(at(-5).scroll, 0);
  assert.equal(at(1_000).scroll, 50 - shown(0).length);
  assert.match(at(3).lines.at(-1)!, new RegExp(`4 to ${3 + shown(0).length} of 50$`));
});
