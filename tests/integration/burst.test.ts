/** More messages at once than a node can run: they wait in the table, and none is lost. */
import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { eventually, tempDir, test } from "../harness.ts";
import { base, nodeFor } from "./site.ts";

const TASKS = fileURLToPath(new URL("../fixtures/tasks", import.meta.url));
const BURST = 20_000;

test(
  "a burst of 20,000 messages while the pool is full waits in the table, each once",
  { timeout: 120_000 },
  async (t) => {
    const made = await base(t);
    const args = ["--queues", "awx", "--tasks", TASKS, "--workers", "1"];
    await Promise.all(["one", "two"].map((name) => nodeFor(t, made.url, [...args, "--node", name])));
    const gate = join(tempDir(), "gate");
    const held = await Promise.all(
      ["one", "two"].map((queue) => made.client.publish("waits#gate", [gate], { queue })),
    );
    for (const { uuid } of held) await made.until(uuid, "running");
    await made
      .sql`select pg_notify('awx', json_build_object('task', 'bound#plain', 'uuid', gen_random_uuid(), 'args',
    json_build_array(n))::text) from generate_series(1, ${BURST}) n`;
    const count = async () => {
      const [row] = await made
        .sql`select count(*)::int n, count(distinct args::text)::int args from dispatcher.envelope
      where task = 'bound#plain'`;
      return [row.n, row.args];
    };
    await eventually(async () => assert.deepEqual(await count(), [BURST, BURST]), {
      within: 60_000,
      every: 200,
    });
    writeFileSync(gate, "");
    for (const { uuid } of held) await made.until(uuid, "completed");
    // They are run now, too; a tenth of them is enough to see.
    await eventually(async () => {
      const [{ n }] = await made
        .sql`select count(*)::int n from dispatcher.archive where task = 'bound#plain'`;
      assert.ok(n >= BURST / 10, `${n} ran`);
    }, { within: 40_000, every: 200 });
  },
);
