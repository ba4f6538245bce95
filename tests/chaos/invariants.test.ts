/** Each law against rows that keep it and rows that break it: a check that cannot fail proves nothing. */
import assert from "node:assert/strict";
import { test } from "../harness.ts";
import type { ArchiveRow, AttemptRow, Evidence, LiveRow, Published, RunRow } from "./evidence.ts";
import { LAWS } from "./invariants.ts";
import { judge, LOG_LAWS } from "./log_laws.ts";

const call = (fields: Partial<Published> = {}): Published => ({
  uuid: "u1",
  task: "record",
  args: [null, 0.1],
  queue: "default",
  delay: 0,
  priority: 0,
  maxAttempts: 1,
  serial: false,
  units: 0,
  preemptible: false,
  via: "client",
  publisher: 0,
  ackedAt: 0,
  ...fields,
});

const attempt = (fields: Partial<AttemptRow> = {}): AttemptRow => ({
  attempt: 1,
  node: "a",
  worker: "1.1",
  outcome: "completed",
  started_at: new Date(100).toISOString(),
  finished_at: new Date(200).toISOString(),
  ...fields,
});

const row = (fields: Partial<ArchiveRow> = {}): ArchiveRow => ({
  uuid: "u1",
  origin: null,
  queue: "default",
  task: "record",
  state: "completed",
  attempt: 1,
  max_attempts: 1,
  node: "a",
  result: "recorded",
  error: null,
  attempts: [attempt()],
  created: 0,
  finished: 200,
  handed: false,
  ...fields,
});

const live = (fields: Partial<LiveRow> = {}): LiveRow => ({
  uuid: "u1",
  origin: null,
  queue: "default",
  task: "record",
  state: "running",
  node: "a",
  attempt: 1,
  fence: 1,
  blocked: false,
  due_at: null,
  held_by_live: true,
  ...fields,
});

const run = (fields: Partial<RunRow> = {}): RunRow => ({
  uuid: "u1",
  attempt: 1,
  node: "a",
  worker: "1.1",
  grp: null,
  began: 100,
  ended: 200,
  ...fields,
});

/** Rows that keep every law, but for what a test puts in their place. */
function evidence(fields: Partial<Evidence> = {}): Evidence {
  const archive = fields.archive ?? [row()];
  return {
    published: [call()],
    cancelled: new Set(),
    archive,
    live: [],
    runs: [run()],
    nodes: ["a", "b"],
    partitions: { archive_20270101: archive.length, archive_default: 0 },
    partitionsBefore: ["archive_20270101", "archive_default"],
    logs: {},
    surprises: [],
    outages: 1,
    ...fields,
  };
}

/** What the law says; every other law must be content, unless told. */
function broken(law: string, fields: Partial<Evidence>, others: string[] = []): string {
  const verdicts = judge({ ...LAWS, ...LOG_LAWS }, evidence(fields));
  const guilty = Object.keys(verdicts).filter((name) => verdicts[name].length > 0);
  assert.deepEqual(guilty.toSorted(), [law, ...others].toSorted());
  return verdicts[law].join("\n");
}

const cast = (uuid: string, fields: Partial<Published> = {}) =>
  call({ uuid, queue: "broadcast", task: "sleep", args: [0], ...fields });
const copy = (origin: string, node: string, created: number, fields: Partial<ArchiveRow> = {}) =>
  row({ uuid: `${origin}/${node}`, origin, queue: node, task: "sleep", created, ...fields });

test("all laws are content with what is in order", () => {
  const good = evidence({
    published: [
      call(),
      call({ uuid: "u2", task: "flaky", args: [2], maxAttempts: 3 }),
      cast("b1"),
      cast("b2"),
    ],
    archive: [
      row(),
      row({
        uuid: "u2",
        task: "flaky",
        attempt: 2,
        max_attempts: 3,
        result: 2,
        attempts: [
          attempt({ outcome: "released", worker: null }),
          attempt({ outcome: "preempted" }),
          attempt({ outcome: "retry", node: "b" }),
          attempt({ attempt: 2 }),
        ],
      }),
      ...["a", "b"].flatMap((node) => [copy("b1", node, 1), copy("b2", node, 2)]),
    ],
  });
  for (const [law, breaches] of Object.entries(judge({ ...LAWS, ...LOG_LAWS }, good))) {
    assert.deepEqual(breaches, [], law);
  }
});

test("resources: what ran together and is more than its node offers is found", () => {
  const law = "what ran together fitted into what its node offers";
  const other = (began: number, node: string) => ({
    published: [call({ units: 2 }), call({ uuid: "u2", units: 2 })],
    archive: [row(), row({ uuid: "u2", attempts: [attempt({ node })], node })],
    runs: [run(), run({ uuid: "u2", began, ended: 250, node })],
  });
  assert.equal(broken(law, other(150, "a")), "a ran 4 units of 3 when u2 began");
  for (const apart of [other(200, "a"), other(150, "b")]) {
    assert.deepEqual(judge({ [law]: LAWS[law] }, evidence(apart))[law], []);
  }
});

test("finality: one that is missing, doubled, or still live is found", () => {
  const law = "every acknowledged publish is final exactly once";
  assert.match(broken(law, { archive: [], runs: [] }), /u1 .* is 0 times in the archive/);
  assert.match(
    broken(law, { archive: [row(), row()] }, ["nothing is there twice"]),
    /is 2 times in the archive/,
  );
  assert.match(broken(law, { archive: [], runs: [], live: [live()] }), /u1 .* is not final/);
  assert.match(broken(law, { live: [live()] }, ["nothing is there twice"]), /u1 .* is not final/);
});

test("doubles: a copy that nobody acknowledged counts too", () => {
  const archive = [row(), row({ uuid: "w" }), row({ uuid: "w" })];
  assert.match(broken("nothing is there twice", { archive }), /^w is there 2 times$/);
});

test("histories: a gap, a fall, a life after the end, and an end that is not on record are found", () => {
  const law = "histories are gapless and rise";
  const of = (attempts: AttemptRow[], fields: Partial<ArchiveRow> = {}) => ({
    runs: [],
    archive: [row({ attempts, max_attempts: 9, ...fields })],
  });
  const retry = attempt({ outcome: "retry" });
  assert.match(broken(law, of([retry, attempt({ attempt: 3 })], { attempt: 3 })), /attempt 3 where 2 is due/);
  assert.match(broken(law, of([attempt({ attempt: 2 })], { attempt: 2 })), /attempt 2 where 1 is due/);
  assert.match(
    broken(law, of([retry, retry, attempt({ attempt: 2 })], { attempt: 2 }), [
      "no attempt was settled by two tokens",
    ]),
    /attempt 1 where 2 is due/,
  );
  assert.match(
    broken(law, of([attempt({ outcome: "discarded" }), attempt()]), ["no attempt was settled by two tokens"]),
    /went on after its end/,
  );
  assert.match(broken(law, of([])), /its last attempt is not: none/);
  assert.match(broken(law, of([attempt({ outcome: "released" })])), /its last attempt is not: 1 released/);
  assert.match(broken(law, of([attempt()], { attempt: 2 })), /says attempt 2, its history 1/);
});

test("verdicts: two of one attempt are found", () => {
  const attempts = [attempt({ outcome: "retry" }), attempt({ outcome: "completed", node: "b" })];
  const found = broken("no attempt was settled by two tokens", { archive: [row({ attempts })], runs: [] }, [
    "histories are gapless and rise",
  ]);
  assert.match(found, /attempt 1 of u1 has 2 verdicts/);
});

test("broadcasts: one that a node did not get, or got twice, or too early, is found", () => {
  const law = "every broadcast came once to every node";
  const published = [cast("b1"), cast("b2")];
  const all = ["a", "b"].flatMap((node) => [copy("b1", node, 1), copy("b2", node, 2)]);
  assert.match(
    broken(law, { published, archive: all.slice(1), runs: [] }),
    /^broadcast b1 came 0 times to a$/,
  );
  const twice = [...all, copy("b1", "a", 1, { uuid: "other" })];
  assert.match(broken(law, { published, archive: twice, runs: [] }), /^broadcast b1 came 2 times to a$/);
  const early = all.map((one) => one.uuid === "b2/b" ? { ...one, created: 0 } : one);
  assert.match(
    broken("broadcasts came in order", { published, archive: early, runs: [] }),
    /^broadcast b2 came to b before b1$/,
  );
  const strangers = [cast("b1"), cast("b2", { publisher: 1 })];
  const verdicts = judge(LAWS, evidence({ published: strangers, archive: early, runs: [] }));
  assert.deepEqual(verdicts["broadcasts came in order"], [], "two publishers at once have no order");
});

test("overlaps: two valid runs at once are found, also one that could not write its end; a stale one is none", () => {
  const law = "no two valid runs of an envelope overlapped";
  const history = (outcome: string, worker: string | null = "1.1") =>
    row({
      attempt: outcome === "retry" ? 2 : 1,
      max_attempts: 2,
      attempts: [
        attempt({ outcome, worker }),
        attempt({
          attempt: outcome === "retry" ? 2 : 1,
          node: "b",
          worker: "2.1",
          finished_at: new Date(250).toISOString(),
        }),
      ],
    });
  const second = run({ node: "b", worker: "2.1", attempt: 2, began: 150, ended: 250 });
  assert.match(
    broken(law, { archive: [history("retry")], runs: [run(), second] }),
    /u1 ran at once on a\/1.1/,
  );
  const killed = run({ ended: null });
  assert.match(broken(law, { archive: [history("retry")], runs: [killed, second] }), /ran at once/);
  const after = { ...second, began: 201 };
  for (const first of [run(), killed]) {
    assert.deepEqual(judge(LAWS, evidence({ archive: [history("retry")], runs: [first, after] }))[law], []);
  }
  const stale = { ...second, attempt: 1 };
  for (const worker of ["1.1", null]) {
    const verdicts = judge(LAWS, evidence({ archive: [history("released", worker)], runs: [run(), stale] }));
    assert.deepEqual(verdicts[law], [], "what was given back may still run");
  }
});

test("overlaps: a worker that ran the same attempt for a claim that was taken away is told from the later run", () => {
  const archive = [row({
    attempts: [
      attempt({ outcome: "released", worker: null }),
      attempt({ started_at: new Date(1_000).toISOString(), finished_at: new Date(1_100).toISOString() }),
    ],
  })];
  const runs = [run({ ended: null }), run({ began: 1_001, ended: 1_099 })];
  for (const [law, breaches] of Object.entries(judge(LAWS, evidence({ archive, runs })))) {
    assert.deepEqual(breaches, [], law);
  }
});

test("overlaps: a long run that covers two short ones is found, whichever comes between", () => {
  const attempts = [1, 2, 3].map((n) =>
    attempt({
      attempt: n,
      worker: `${n}.1`,
      outcome: n === 3 ? "completed" : "retry",
      started_at: new Date(0).toISOString(),
      finished_at: new Date(900).toISOString(),
    })
  );
  const runs = [[0, 900], [100, 200], [300, 400]].map(([began, ended], i) =>
    run({ attempt: i + 1, worker: `${i + 1}.1`, began, ended })
  );
  const found = broken("no two valid runs of an envelope overlapped", {
    archive: [row({ attempts, attempt: 3, max_attempts: 3 })],
    runs,
  });
  assert.equal(found.split("\n").length, 2);
});

test("records: a run that no history knows is found", () => {
  const law = "every run is on record";
  assert.match(broken(law, { runs: [run(), run({ node: "b", began: 300, ended: 400 })] }), /ran on b\/1.1/);
  assert.match(broken(law, { runs: [run(), run({ attempt: 2, began: 300, ended: 400 })] }), /attempt 2/);
});

test("serial groups: two of a group at once are found, of two groups not", () => {
  const law = "serial groups ran one at a time";
  const both = {
    published: [call(), call({ uuid: "u2" })],
    archive: [row(), row({ uuid: "u2", attempts: [attempt({ worker: "1.2" })] })],
  };
  const runs = (
    grp: string,
  ) => [run({ grp: "red" }), run({ uuid: "u2", worker: "1.2", grp, began: 199, ended: 300 })];
  assert.match(broken(law, { ...both, runs: runs("red") }), /^group red: u1 .* and u2/);
  assert.deepEqual(judge(LAWS, evidence({ ...both, runs: runs("blue") }))[law], []);
});

test("attempts: more than were allowed are found, by the row or by the call", () => {
  const law = "charged attempts stay within maxAttempts";
  const attempts = [attempt({ outcome: "retry" }), attempt({ attempt: 2 })];
  for (const max_attempts of [1, null]) {
    assert.match(
      broken(law, { archive: [row({ attempt: 2, max_attempts, attempts })], runs: [] }),
      /^u1 was charged 2 attempts of 1$/,
    );
  }
});

test("cancels: one that nobody asked for is found", () => {
  const cancelled = { archive: [row({ state: "cancelled", attempts: [] })], runs: [] };
  assert.match(broken("only what was asked to is cancelled", cancelled), /^u1 is cancelled/);
  assert.deepEqual(
    judge(
      LAWS,
      evidence({ ...cancelled, cancelled: new Set(["u1"]) }),
    )["only what was asked to is cancelled"],
    [],
  );
});

test("results: a wrong sum, a failure that was none, and a success that was none are found", () => {
  const law = "results are right";
  const add = { published: [call({ task: "add", args: [1, 2] })], runs: [] };
  assert.match(broken(law, { ...add, archive: [row({ task: "add", result: 4 })] }), /gave 4, not 3/);
  const discarded = { state: "discarded", attempts: [attempt({ outcome: "discarded" })] };
  assert.match(broken(law, { ...add, archive: [row(discarded)] }), /is discarded/);
  const died = row({ ...discarded, error: { name: "HostDied", message: "killed" } });
  assert.deepEqual(
    judge(LAWS, evidence({ ...add, archive: [died] }))[law],
    [],
    "a killed host costs an attempt",
  );
  const flaky = { published: [call({ task: "flaky", args: [3], maxAttempts: 2 })], runs: [] };
  assert.match(broken(law, { ...flaky, archive: [row({ task: "flaky", result: 3 })] }), /is completed/);
});

test("partitions: one that is gone, and rows that no partition holds, are found", () => {
  const law = "no partition is lost";
  assert.match(broken(law, { partitions: { archive_default: 1 } }), /^archive_20270101 is gone$/);
  assert.match(
    broken(law, { partitions: { archive_20270101: 0, archive_default: 0 } }),
    /partitions hold 0 rows, the archive shows 1/,
  );
});

// ---- logs

const line = (at: number, text: string) => ({ at, text });
const said = (event: string, message = "") => JSON.stringify({ level: "warning", event, message });

test("logs: a node that ended, an error that nobody caught, are found", () => {
  const surprises = [{ node: "a", how: "exit code 1", last: ["x"] }];
  assert.match(broken("no node ended by itself", { surprises }), /^a exit code 1; its last lines:\n\s+x$/);
  for (
    const text of [
      "error: Uncaught (in promise) Error: no",
      "    at Dispatcher.run (file:///x/dispatcher.ts:1:2)",
      "(node:1) UnhandledPromiseRejectionWarning: no",
    ]
  ) {
    assert.match(broken("no error went uncaught", { logs: { a: [line(1, text)] } }), /^a: /, text);
  }
  const told = said("task.output", "error: Uncaught Error");
  assert.deepEqual(judge(LOG_LAWS, evidence({ logs: { a: [line(1, told)] } }))["no error went uncaught"], []);
});

test("logs: a line for every try of an outage is found, one for its begin and its end is not", () => {
  const law = "an outage is few lines";
  const lines = (n: number, event: string, message?: string) => ({
    logs: { a: Array.from({ length: n }, (_, i) => line(i * 1_000, said(event, message))) },
  });
  assert.match(broken(law, lines(40, "store.down")), /^a said store.down 40 times in 1 outages/);
  assert.match(
    broken(law, lines(40, "service.failing", "Service self check failed: no")),
    /said service.failing self check 40 times/,
  );
  assert.deepEqual(judge(LOG_LAWS, evidence(lines(4, "store.down")))[law], []);
  assert.deepEqual(judge(LOG_LAWS, evidence(lines(40, "rescued")))[law], []);
});

test("logs: a part that does not rest is found", () => {
  const logs = (everyMs: number) => ({
    a: Array.from({ length: 300 }, (_, i) => line(i * everyMs, said("rescued"))),
  });
  assert.match(broken("no busy loop", { logs: logs(1) }), /^a said rescued 300 times within 1000 ms$/);
  assert.deepEqual(judge(LOG_LAWS, evidence({ logs: logs(20) }))["no busy loop"], []);
});
