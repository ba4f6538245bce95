// @runtimes bun,node
import assert from "node:assert/strict";
import { eventually, test } from "../harness.ts";
import { atOnce, base, ended, nodeFor, sharedSite, UUID } from "./site.ts";

const site = sharedSite(["--node", "n1", "--workers", "2"], { DISPATCHER_BACKOFF_BASE: "0.05" });
const OWN = "0c1deb4d-25ae-49a9-804f-a8afd05aff29";
const ONE_UUID = new RegExp(`^${UUID}\n$`);

test("publish prints the uuid alone on stdout and exits 0", async () => {
  const { cli, until } = await site();
  const { code, stdout, stderr } = await cli("publish", "examples/add", "1", "2");
  assert.deepEqual({ code, stderr }, { code: 0, stderr: "" });
  assert.match(stdout, ONE_UUID);
  const { result, args, task, queue } = await until(stdout.trim(), "completed");
  assert.deepEqual({ result, args, task, queue }, {
    result: 3,
    args: [1, 2],
    task: "examples/add",
    queue: "default",
  });
});

test("publish --wait prints the result as JSON behind the uuid and exits 0", async () => {
  const { cli } = await site();
  const words = ["1", "-2.5", '"text"', "[1,{}]", '{"a": null}', "true", "null", '"0199"'];
  const { code, stdout, stderr } = await cli("publish", "examples/echo", ...words, "--wait");
  assert.deepEqual({ code, stderr }, { code: 0, stderr: "" });
  const [uuid, result, ...more] = stdout.split("\n");
  assert.match(`${uuid}\n`, ONE_UUID);
  assert.equal(result, '[1,-2.5,"text",[1,{}],{"a":null},true,null,"0199"]');
  assert.deepEqual(more, [""]);
});

test("publish --wait prints the error on stderr, nothing but the uuid on stdout, and exits 1", async () => {
  const { cli } = await site();
  const { code, stdout, stderr } = await cli("publish", "examples/fail", '"out of paper"', "--wait");
  assert.equal(code, 1);
  assert.match(stdout, ONE_UUID);
  assert.equal(stderr, `Envelope ${stdout.trim()} was discarded: RangeError: out of paper\n`);
});

test("publish --wait exits 1 when the envelope is cancelled", async () => {
  const { cli, client, until } = await site();
  const following = cli("publish", "examples/sleep", "600", "--wait", "--uuid", OWN);
  await eventually(async () => (await client.list({ uuid: OWN })).length > 0);
  await until(OWN, "running");
  await client.cancel([OWN]);
  const { code, stderr } = await following;
  assert.equal(code, 1);
  assert.match(stderr, new RegExp(`^Envelope ${OWN} was cancelled: CancelledError: .+\n$`));
});

test("publish --wait --within exits 69 when the outcome takes longer", async () => {
  const { cli, client } = await site();
  const { code, stdout, stderr } = await cli(
    "publish",
    "examples/add",
    "1",
    "2",
    "--delay",
    "600",
    "--wait",
    "--within",
    "0.2",
  );
  assert.equal(code, 69);
  assert.match(stdout, ONE_UUID);
  assert.equal(stderr, `Waited 0.2 s for "${stdout.trim()}" in vain\n`);
  await client.cancel([stdout.trim()]);
});

test("publish --kwargs gives the task an object as its last argument", async () => {
  const { cli } = await site();
  const { stdout } = await cli("publish", "examples/echo", "1", "--kwargs", '{"b": [2]}', "--wait");
  assert.equal(stdout.split("\n")[1], '[1,{"b":[2]}]');
});

test("publish --queue with a node's name runs on that node, and with a queue of nobody waits", async () => {
  const { publish, until, row } = await site();
  const direct = await publish("examples/add", "1", "2", "--queue", "n1");
  assert.equal((await until(direct, "completed")).queue, "n1");
  const nobody = await publish("examples/add", "1", "2", "--queue", "nobody");
  const { state, queue } = await row(nobody);
  assert.deepEqual({ state, queue }, { state: "available", queue: "nobody" });
});

test("publish --broadcast runs on every node, and --wait prints an object by node", async (t) => {
  const { url, cli } = await site();
  await nodeFor(t, url, ["--node", "n2", "--workers", "1"]);
  const { code, stdout, stderr } = await cli("publish", "examples/add", "1", "2", "--broadcast", "--wait");
  assert.deepEqual({ code, stderr }, { code: 0, stderr: "" });
  assert.match(stdout, new RegExp(`^${UUID}\n\\{.*\\}\n$`));
  assert.deepEqual(JSON.parse(stdout.split("\n")[1]), { n1: 3, n2: 3 });
});

test("publish --delay and --at schedule, and a time that has passed runs at once", async () => {
  const { publish, row, until } = await site();
  const delayed = await row(await publish("examples/add", "1", "2", "--delay", "3600"));
  assert.equal(delayed.state, "scheduled");
  const seconds = (Date.parse(delayed.due_at!) - Date.parse(delayed.created_at)) / 1000;
  assert.ok(Math.abs(seconds - 3600) < 1, `${seconds}`);
  const later = await row(await publish("examples/add", "1", "2", "--at", "2099-01-02T03:04:05+01:00"));
  assert.deepEqual([later.state, later.due_at], ["scheduled", "2099-01-02T02:04:05.000Z"]);
  await until(await publish("examples/add", "1", "2", "--at", "2001-01-01T00:00:00Z"), "completed");
  await until(await publish("examples/add", "1", "2", "--delay", "0.1"), "completed");
});

test("publish --timeout ends an attempt that takes longer", async () => {
  const { cli } = await site();
  const { code, stderr } = await cli("publish", "examples/sleep", "600", "--timeout", "0.2", "--wait");
  assert.equal(code, 1);
  assert.match(stderr, /was discarded: TimeoutError: .+\n$/);
});

test("publish --max-attempts tries again so often", async () => {
  const { publish, until } = await site();
  const { attempts, max_attempts } = await until(
    await publish("examples/fail", '"again"', "--max-attempts", "3"),
    "discarded",
  );
  assert.equal(max_attempts, 3);
  assert.deepEqual(attempts.map(({ attempt, outcome }) => [attempt, outcome]), [
    [1, "retry"],
    [2, "retry"],
    [3, "discarded"],
  ]);
});

test("publish --priority puts the smaller number first in the queue", async (t) => {
  const { publish, url, until } = await base(t);
  const low = await publish("examples/add", "1", "2", "--queue", "q", "--priority", "5");
  const high = await publish("examples/add", "1", "2", "--queue", "q", "--priority=-5");
  await nodeFor(t, url, ["--node", "n1", "--queues", "q", "--workers", "1"]);
  const [first, second] = [await until(high, "completed"), await until(low, "completed")];
  assert.deepEqual([first.priority, second.priority], [-5, 5]);
  const started = [first, second].map((row) => Date.parse(row.attempts[0].started_at!));
  assert.ok(started[0] <= started[1], `${started}`);
});

test("publish --wait of what is no task says why and exits 1", async () => {
  const { cli } = await site();
  const names: [task: string, why: string][] = [
    ["nowhere", "no file nowhere.ts under the tasks root"],
    ["../tasks/examples/add", "a path is made of names joined by /, inside the tasks root"],
    ["/etc/passwd", "a path is made of names joined by /, inside the tasks root"],
    ["https://example.org/x.ts", "a path is made of names joined by /, inside the tasks root"],
    ["examples/add#none", "export none of examples/add is not made by task()"],
  ];
  await atOnce(names, async ([task, why]) => {
    const { code, stdout, stderr } = await cli("publish", task, "--wait");
    assert.equal(code, 1);
    const says = `UnknownTaskError: '${task}' is not a valid task: ${why}`;
    assert.equal(stderr, `Envelope ${stdout.trim()} was discarded: ${says}\n`);
  });
});

test("publish --uuid twice says on stderr that it is known, changes nothing and exits 0", async () => {
  const { cli, until, row } = await site();
  const uuid = "0C1DEB4D-25AE-49A9-804F-A8AFD05AFF30";
  const first = await cli("publish", "examples/add", "1", "2", "--uuid", uuid);
  assert.deepEqual(ended(first), { code: 0, stdout: `${uuid.toLowerCase()}\n`, stderr: "" });
  const before = await until(uuid, "completed");
  const second = await cli("publish", "examples/add", "40", "2", "--uuid", uuid, "--wait");
  assert.deepEqual(ended(second), {
    code: 0,
    stdout: `${uuid.toLowerCase()}\n3\n`,
    stderr: `Already known: ${uuid.toLowerCase()} (nothing was published)\n`,
  });
  assert.deepEqual(await row(uuid), before);
});

/** What is typed behind `publish`, and what is said of it; nothing is published. */
const REFUSED: [args: string[], says: string | RegExp][] = [
  [[], "Cannot publish: no task is named"],
  [["examples/add", "one"], `Cannot read argument 1 "one" as JSON: a text needs quotes, '"like this"'`],
  [["examples/add", "1", "{a:1}"], /^Cannot read argument 2 "\{a:1\}" as JSON: /],
  [["examples/add", "01"], /^Cannot read argument 1 "01" as JSON: /],
  [["examples/add", ""], /^Cannot read argument 1 "" as JSON: /],
  [["examples/add", "--kwargs", "{b: 2}"], /^Cannot read --kwargs "\{b: 2\}" as JSON: /],
  [["examples/add", "--kwargs", "[1]"], /^Cannot publish "examples\/add": kwargs: .+/],
  [["examples/add", "--kwargs", "null"], /^Cannot publish "examples\/add": kwargs: .+/],
  [["examples/add", "--queue", " "], 'Cannot use " " as a queue: the name is blank'],
  [["examples/add", "--queue", ""], 'Cannot use "" as a queue: the name is blank'],
  [["examples/add", "--queue", "q", "--broadcast"], "Cannot use --broadcast together with --queue"],
  [["examples/add", "--delay", "-1"], /^Cannot publish "examples\/add": delay -1: .+/],
  [["examples/add", "--at", "tomorrow"], /^Cannot publish "examples\/add": at "tomorrow": .+/],
  [
    ["examples/add", "--at", "2099-01-01T00:00:00"],
    /^Cannot publish "examples\/add": at "2099-01-01T00:00:00": .+/,
  ],
  [["examples/add", "--timeout", "0"], /^Cannot publish "examples\/add": timeout 0: .+/],
  [["examples/add", "--timeout", "soon"], 'Flag --timeout needs a number: given "soon"'],
  [["examples/add", "--priority", "1.5"], /^Cannot publish "examples\/add": priority 1\.5: .+/],
  [["examples/add", "--priority", "40000"], /^Cannot publish "examples\/add": priority 40000: .+/],
  [["examples/add", "--max-attempts", "0"], /^Cannot publish "examples\/add": maxAttempts 0: .+/],
  [["examples/add", "--uuid", "0199"], 'Cannot publish "examples/add": uuid "0199": it is not a UUID'],
  [["examples/add", "--wait", "--within", "-1"], 'Flag --within needs seconds from 0: given "-1"'],
  [["a\tb"], 'Cannot publish a task named "a\\tb": the name is too long or has control characters'],
  [[""], 'Cannot publish a task named "": the name is blank'],
];

test("publish refuses what cannot be published with one line on stderr and exits 2", async (t) => {
  const { cli, client } = await base(t);
  await atOnce(REFUSED, async ([args, says]) => {
    const { code, stdout, stderr } = await cli("publish", ...args);
    const what = args.join(" ");
    assert.deepEqual({ code, stdout }, { code: 2, stdout: "" }, `${what}: ${stderr}`);
    assert.match(stderr, /^.+\n$/, what);
    if (typeof says === "string") assert.equal(stderr, `${says}\n`);
    else assert.match(stderr.trimEnd(), says, what);
  });
  assert.equal((await client.list()).length, 0);
});

test("the node of this file drains and exits 0", async () => {
  assert.deepEqual((await site.end()).exit, { code: 0, signal: null });
});
