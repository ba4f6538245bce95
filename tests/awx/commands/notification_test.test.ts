// @runtimes node
/** `awx notification test`, from the words to the server that takes the message. */
import assert from "node:assert/strict";
import { connect } from "../../../mod.ts";
import { MIGRATIONS } from "../../../tasks/jobs/model/migrations.ts";
import "../database.ts";
import { test } from "../../harness.ts";
import { cluster } from "../../integration/cluster.ts";
import { web } from "../notifications/servers.ts";
import { cliOf } from "./cli.ts";

test("awx notification test has a node send, and says who took it and who did not", async (t) => {
  const made = await cluster(t);
  const client = await connect({ databaseUrl: made.url, migrations: MIGRATIONS });
  t.after(() => client.close());
  const { awx, ok } = cliOf({ url: made.url, client, sql: client.database() });
  const hook = await web(t, { status: 200 }, { status: 403, text: "no hunter2" });
  await ok(
    "notification create chat --kind slack --from -",
    JSON.stringify({ url: `${hook.origin}/hunter2` }),
  );
  await made.node({ name: "one", workers: 1 });
  assert.deepEqual(await awx("notification test chat"), { code: 0, out: [`${hook.origin}\ttaken`], err: [] });
  const refused = await awx("notification test chat");
  assert.equal(refused.code, 1);
  assert.match(refused.out.join("\n"), /\t.*403/);
  assert.doesNotMatch(refused.out.join("\n"), /hunter2/);
  assert.match(JSON.stringify(hook.hits[0].body), /Test of notification template .*chat.* sent by node one/);
  assert.equal((await awx("notification test nope")).code, 3);
});
