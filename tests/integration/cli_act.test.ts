// @runtimes bun,node
import assert from "node:assert/strict";
import { test, type TestContext } from "../harness.ts";
import { base, ended, ndjson } from "./site.ts";

/** Envelopes that nobody runs: some wait, some are dead. */
async function morgue(t: TestContext) {
  const made = await base(t);
  const calls = [
    { task: "mail/a", queue: "mail" },
    { task: "mail/b", queue: "mail", delay: 600 },
    { task: "other", queue: "other" },
  ];
  const uuids = (await made.client.publishMany(calls)).map(({ uuid }) => uuid);
  return { ...made, uuids };
}

test("cancel, retry and discard by filter need --yes where nobody can be asked, and change nothing without", async (t) => {
  const { client, cli } = await morgue(t);
  for (const verb of ["cancel", "discard"]) {
    const refused = await cli(verb, "--queue", "mail");
    const stderr = `Cannot ${verb} 2 envelopes without --yes\n`;
    assert.deepEqual(ended(refused), { code: 4, stdout: "", stderr });
  }
  const none = await cli("retry", "--queue", "mail");
  assert.deepEqual(ended(none), { code: 0, stdout: "", stderr: "" }, "there is nothing dead in it");
  assert.ok((await client.list()).every(({ state }) => state === "available" || state === "scheduled"));
});

test("discard by filter gives up all that it finds, and retry brings it back, a line each", async (t) => {
  const { client, cli, uuids } = await morgue(t);
  const given = await cli("discard", "--queue", "mail", "--reason", "closed", "--yes", "--json");
  assert.equal(given.code, 0);
  const lines = ndjson(given.stdout).map(({ uuid, did }) => [uuid, did]).sort();
  assert.deepEqual(lines, uuids.slice(0, 2).map((uuid) => [uuid, "discarded"]).sort());
  const [a] = await client.find(uuids[0]);
  assert.deepEqual(a.error, { name: "Discarded", message: "closed" });
  const failures = await cli("failures", "--json", "--task", "mail/a");
  const [{ task, error, message, count, last_uuid }] = ndjson(failures.stdout);
  assert.deepEqual([task, error, message, count, last_uuid], ["mail/a", "Discarded", "closed", 1, uuids[0]]);
  const old = await cli("retry", "--queue", "mail", "--older", "600", "--yes");
  assert.deepEqual(ended(old), { code: 0, stdout: "", stderr: "" }, "nothing is that old");
  const back = await cli("retry", "--queue", "mail", "--yes");
  assert.deepEqual(
    back.stdout.trim().split("\n").sort(),
    uuids.slice(0, 2).map((uuid) => `${uuid} retried`).sort(),
  );
  assert.ok((await client.list({ queue: "mail" })).every(({ state }) => state === "available"));
});

test("retry of what runs, waits or completed changes nothing and exits 4; of a cancelled one it does", async (t) => {
  const { client, cli, uuids } = await morgue(t);
  const waits = await cli("retry", uuids[0], uuids[0]);
  assert.deepEqual(ended(waits), { code: 4, stdout: `${uuids[0]} already available\n`, stderr: "" });
  await client.cancel([uuids[0]]);
  assert.equal(
    (await cli("retry", "--queue", "mail", "--yes")).stdout,
    "",
    "what was cancelled was meant so",
  );
  const asked = await cli("retry", "--queue", "mail", "--state", "cancelled", "--yes");
  assert.deepEqual(ended(asked), { code: 0, stdout: `${uuids[0]} retried\n`, stderr: "" });
  assert.equal((await cli("retry", uuids[1])).stdout, `${uuids[1]} retried\n`, "its time is taken away");
  assert.equal((await client.find(uuids[1]))[0].due_at, null);
});

test("retry and discard refuse an ambiguous beginning with its candidates, words and filter at once, and no word", async (t) => {
  const { client, cli } = await base(t);
  const uuids = ["01", "02"].map((n) => `aaaabbbb-cccc-4ddd-8eee-ffffffffff${n}`);
  await client.publishMany(uuids.map((uuid) => ({ task: "t", queue: "nobody", uuid })));
  for (const verb of ["retry", "discard", "why"]) {
    const { code, stdout, stderr } = await cli(verb, "aaaabbbb");
    assert.deepEqual([code, stdout], [4, ""]);
    for (const uuid of uuids) assert.ok(stderr.includes(uuid), stderr);
    assert.equal((await cli(verb, "0199")).code, 3);
    assert.equal((await cli(verb)).code, 2);
  }
  assert.equal((await cli("retry", uuids[0], "--queue", "nobody", "--yes")).code, 2);
});

test("queue pause, resume and purge say what they did", async (t) => {
  const { client, cli, uuids } = await morgue(t);
  assert.deepEqual(ended(await cli("queue", "pause", "mail")), {
    code: 0,
    stdout: "mail paused\n",
    stderr: "",
  });
  assert.equal((await cli("queue", "pause", "mail")).stdout, "mail is paused already\n");
  assert.match((await cli("why", uuids[0])).stdout, /^ {2}Queue "mail" is paused\n {2}No node is alive$/m);
  assert.deepEqual(ndjson((await cli("queue", "resume", "mail", "--json")).stdout), [{
    queue: "mail",
    changed: true,
  }]);
  assert.equal((await cli("queue", "resume", "mail")).stdout, "mail is not paused\n");
  const refused = await cli("queue", "purge", "mail");
  const stderr = 'Cannot purge 2 of queue "mail" without --yes\n';
  assert.deepEqual(ended(refused), { code: 4, stdout: "", stderr });
  assert.equal((await cli("queue", "purge", "mail", "--yes")).stdout, "mail purged: 2 cancelled\n");
  assert.equal((await cli("queue", "purge", "mail")).stdout, "mail purged: 0 cancelled\n");
  assert.deepEqual((await client.list({ queue: "other" })).map(({ state }) => state), ["available"]);
  assert.equal((await cli("queue", "pause", "broadcast")).code, 2);
});

test("why --json has words for programs", async (t) => {
  const { cli, uuids } = await morgue(t);
  const [row] = ndjson((await cli("why", uuids[1], "--json")).stdout);
  assert.deepEqual([row.uuid, row.state, row.queue], [uuids[1], "scheduled", "mail"]);
  assert.deepEqual(row.why.map(({ code }: { code: string }) => code), ["scheduled", "no_node"]);
});
