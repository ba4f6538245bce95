// @runtimes bun
/** The roles of roles.sql, each with a login of its own: what it can do works, and what it cannot is refused. */
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { fileURLToPath } from "node:url";
import { connect as connectClient } from "../../mod.ts";
import { connect, type Sql } from "../../runtime/store/connection.ts";
import { migrate } from "../../runtime/store/migrate.ts";
import { PostgresStore } from "../../runtime/store/postgres.ts";
import { applyRoles } from "../../runtime/store/roles.ts";
import { uuid7 } from "../../runtime/uuid.ts";
import { database, eventually, test, type TestContext } from "../harness.ts";
import { nodeFor } from "../integration/site.ts";
import { spawnCli } from "../processes.ts";

const ROLES = ["publisher", "node", "operator", "viewer"] as const;
type Role = (typeof ROLES)[number];
const DENIED = { code: "42501" };

const CRM = {
  schema: "crm",
  directory: new URL("../fixtures/extended/crm/migrations/", import.meta.url),
  list: [{ version: 1, name: "0001_customers", worksWith: 1 }],
};

interface Site {
  url: string;
  owner: Sql;
  urlOf(role: Role): string;
  sqlOf(role: Role): Sql;
  storeOf(role: Role): PostgresStore;
  clientOf(role: Role): ReturnType<typeof connectClient>;
}

/** A migrated database with a login for each role. */
async function open(t: TestContext): Promise<Site> {
  const db = await database();
  t.after(() => db.drop());
  const owner = connect(db.url, { max: 1 });
  await migrate(owner);
  await migrate(owner, undefined, undefined, CRM);
  await applyRoles(owner, CRM);
  await applyRoles(owner, CRM);
  const tag = `t_${randomBytes(5).toString("hex")}`;
  for (const role of ROLES) {
    await owner.unsafe(`create role ${tag}_${role} login password 'pw' in role dispatcher_${role}`);
  }
  t.after(async () => {
    for (const role of ROLES) await owner.unsafe(`drop role ${tag}_${role}`);
    await owner.end({ timeout: 1 });
  });
  const urlOf = (role: Role) => {
    const url = new URL(db.url);
    Object.assign(url, { username: `${tag}_${role}`, password: "pw" });
    return url.href;
  };
  const sqlOf = (role: Role) => {
    const sql = connect(urlOf(role), { max: 1 });
    t.after(() => sql.end({ timeout: 1 }));
    return sql;
  };
  return {
    url: db.url,
    owner,
    urlOf,
    sqlOf,
    storeOf: (role) => new PostgresStore(sqlOf(role)),
    async clientOf(role) {
      const client = await connectClient({ databaseUrl: urlOf(role) });
      t.after(() => client.close());
      return client;
    },
  };
}

const refused = (sql: Sql, statement: string) => assert.rejects(sql.unsafe(statement), DENIED, statement);

test("a publisher publishes with the client and in SQL, and reads outcomes", async (t) => {
  const site = await open(t);
  const client = await site.clientOf("publisher");
  const own = uuid7();
  const sent = [
    await client.publish("t", [1]),
    await client.publish("t", [2], { uuid: own }),
    await client.publish("t", [3], { onDuplicate: "discard" }),
    await client.publish("t", [3], { onDuplicate: "discard" }),
    await client.publish("t", [4], { queue: "broadcast" }),
    await client.publish("t", [5], { queue: "broadcast", uuid: uuid7() }),
  ];
  assert.equal((await client.publish("t", [2], { uuid: own })).known, true);
  assert.equal(sent[3].duplicateOf, sent[2].uuid);
  const sql = site.sqlOf("publisher");
  for (const options of ["{}", `{"uuid": "${uuid7()}"}`, '{"on_duplicate": "serial"}', '{"delay": 5}']) {
    await sql.unsafe(`select dispatcher.publish('t', '[6]', '{}', 'default', '${options}')`);
  }
  await sql`select dispatcher.broadcast('t')`;
  const node = site.storeOf("node");
  const instance = uuid7();
  const work = { node: "n", instance, settlements: [], queues: ["default"], limit: 1 };
  const { claimed: [{ uuid, fence }] } = await node.exchange(work);
  const verdict = {
    uuid,
    fence,
    outcome: "completed" as const,
    result: "7",
    record: null,
    ran: null,
    error: null,
  };
  const settlement = { ...verdict, delay: null, solo: false, progress: null, watch: false, keyed: false };
  await node.exchange({ ...work, limit: 0, settlements: [settlement] });
  assert.equal((await client.wait(uuid, 10)).result, 7);
});

test("a publisher cannot read arguments, claim, change or remove", async (t) => {
  const { sqlOf, owner } = await open(t);
  await owner`select dispatcher.publish('t', '["secret"]')`;
  const sql = sqlOf("publisher");
  for (
    const statement of [
      "select args from dispatcher.envelope",
      "select kwargs from dispatcher.archive",
      "select args from dispatcher.broadcast",
      "select * from dispatcher.schedule",
      "select * from dispatcher.node",
      "update dispatcher.envelope set state = 'running'",
      "delete from dispatcher.envelope",
      "delete from dispatcher.archive",
      "insert into dispatcher.envelope (uuid, queue, task, instance) values (gen_random_uuid(), 'q', 't', null)",
      "insert into dispatcher.queue (name) values ('q')",
      "select dispatcher.create_partitions(1)",
      "select dispatcher.drop_partition('archive_20260101')",
      "create table dispatcher.mine ()",
    ]
  ) await refused(sql, statement);
});

test("a node that is only a node runs tasks, completes in transactions and keeps the archive", async (t) => {
  const site = await open(t);
  const { owner } = site;
  const [{ name }] = await owner`select relname name from pg_class where relname ~ '^archive_[0-9]{8}$'
    order by 1 desc limit 1`;
  await owner.unsafe(`drop table dispatcher.${name}`);
  await owner`create table dispatcher.archive_20200101 partition of dispatcher.archive
    for values from ('2020-01-01') to ('2020-01-02')`;
  const root = fileURLToPath(new URL("../fixtures/tasks", import.meta.url));
  const node = await nodeFor(t, site.urlOf("node"), ["--node", "n", "--workers", "1", "--tasks", root]);
  const client = await site.clientOf("publisher");
  assert.deepEqual(await (await client.publish("bound#plain", [1])).result({ within: 20 }), [1]);
  // The owner's own schema may be the dispatcher's.
  await owner`create table public.counter as select 0 n`;
  await owner.unsafe(`grant select, update on public.counter to dispatcher_node`);
  assert.equal(await (await client.publish("transacts")).result({ within: 20 }), 1);
  const broadcast = await client.publish("bound#plain", [2], { queue: "broadcast" });
  const viewer = await site.clientOf("viewer");
  assert.deepEqual((await viewer.waitAll(broadcast.uuid, 20)).result, { n: [2] });
  assert.doesNotMatch(node.stderr(), /permission denied/);
  const partitions = async () =>
    (await owner`select relname name from pg_class where relname in ('archive_20200101', ${name})`).map((
      one,
    ) => one.name);
  // Its leader has made the day that was missing and dropped the old one.
  await eventually(async () => assert.deepEqual(await partitions(), [name]), { within: 20_000 });
});

test("a node's role cannot change the schema", async (t) => {
  const { sqlOf } = await open(t);
  const sql = sqlOf("node");
  for (
    const statement of [
      "create table dispatcher.mine ()",
      "drop table dispatcher.archive_default",
      "alter table dispatcher.envelope add column x int",
      "truncate dispatcher.envelope",
      "insert into dispatcher.migration values (99, 'x', 1)",
      "create or replace function dispatcher.uuid7() returns uuid language sql as 'select null::uuid'",
    ]
  ) await refused(sql, statement);
  await assert.rejects(sql`select dispatcher.drop_partition('envelope')`, { code: "22023" });
  await assert.rejects(sql.unsafe("select dispatcher.drop_partition('archive_20260101; drop table x')"), {
    code: "22023",
  });
});

test("an operator looks, publishes and cancels", async (t) => {
  const { clientOf } = await open(t);
  const client = await clientOf("operator");
  const { uuid } = await client.publish("t", ["seen"]);
  assert.deepEqual((await client.list())[0].args, ["seen"]);
  assert.equal((await client.cancel([uuid]))[0].did, "cancelled");
  await client.publish("t", [], { queue: "broadcast" });
  assert.deepEqual([(await client.nodes()).length, (await client.schedules()).length], [0, 0]);
});

test("an operator gives up, brings back, pauses and purges", async (t) => {
  const { storeOf, clientOf } = await open(t);
  const store = storeOf("operator");
  const client = await clientOf("operator");
  const { uuid } = await client.publish("t");
  assert.equal((await store.discard([uuid], "no more"))[0].did, "discarded");
  assert.equal((await store.retry([uuid])).length, 1);
  assert.equal((await client.list({ state: ["available"] }))[0].uuid, uuid);
  assert.ok(await store.pause("default", true));
  assert.ok(await store.pause("default", false));
  assert.equal(await store.purge("default"), 1);
});

test("a viewer looks, and can neither publish nor cancel", async (t) => {
  const { clientOf, sqlOf, owner } = await open(t);
  await owner`select dispatcher.publish('t', '[1]')`;
  const client = await clientOf("viewer");
  const [{ uuid, args }] = await client.list();
  assert.deepEqual(args, [1]);
  assert.equal((await client.queues())[0].available, 1);
  await client.nodes();
  await assert.rejects(client.publish("t"), DENIED);
  await assert.rejects(client.publish("t", [], { onDuplicate: "serial" }), DENIED);
  await assert.rejects(client.cancel([uuid]), DENIED);
  const sql = sqlOf("viewer");
  await refused(sql, "select dispatcher.publish('t')");
  await refused(sql, "select dispatcher.broadcast('t')");
  await refused(sql, `select dispatcher.forget_known('${uuid}')`);
  await refused(sql, "delete from dispatcher.envelope");
  assert.equal((await client.list()).length, 1);
});

test("somebody without a role gets nothing", async (t) => {
  const { owner, url } = await open(t);
  const name = `t_${randomBytes(5).toString("hex")}`;
  await owner.unsafe(`create role ${name} login password 'pw'`);
  t.after(() => owner.unsafe(`drop role ${name}`));
  const sql = connect(Object.assign(new URL(url), { username: name, password: "pw" }).href, { max: 1 });
  t.after(() => sql.end({ timeout: 1 }));
  await refused(sql, "select uuid from dispatcher.envelope");
  await refused(sql, "select dispatcher.publish('t')");
});

test("migrate() without the right to says who has it", async (t) => {
  const db = await database();
  t.after(() => db.drop());
  const owner = connect(db.url, { max: 1 });
  const name = `t_${randomBytes(5).toString("hex")}`;
  await owner.unsafe(`create role ${name} login password 'pw'`);
  t.after(async () => {
    await owner.unsafe(`drop role ${name}`);
    await owner.end({ timeout: 1 });
  });
  const url = Object.assign(new URL(db.url), { username: name, password: "pw" }).href;
  await assert.rejects(connectClient({ databaseUrl: url }), {
    code: "config",
    message:
      /^Cannot migrate the schema: permission denied for database .+; run `migrate up` as its owner first$/,
  });
});

test("migrate roles prints the SQL, and applies it with --apply, the migrations first", async (t) => {
  const db = await database();
  t.after(() => db.drop());
  const printed = await spawnCli(["migrate", "roles"]);
  assert.equal(printed.code, 0, printed.stderr);
  assert.match(printed.stdout, /grant dispatcher_node to my_node_user/);
  const applied = await spawnCli(["migrate", "roles", "--apply", "--database-url", db.url]);
  assert.equal(applied.code, 0, applied.stderr);
  assert.match(applied.stderr, /The roles are up to date/);
  const sql = connect(db.url, { max: 1 });
  t.after(() => sql.end({ timeout: 1 }));
  const [{ may }] =
    await sql`select has_table_privilege('dispatcher_node', 'dispatcher.envelope', 'update') may`;
  assert.equal(may, true);
});

test("on the tables of an extension nodes and operators may write, viewers may look, publishers nothing", async (t) => {
  const { sqlOf, urlOf } = await open(t);
  for (const role of ["node", "operator"] as const) {
    await sqlOf(role).unsafe("update crm.customer set name = 'Bob' where id = 1");
    await assert.rejects(async () => await sqlOf(role).unsafe("delete from crm.migration"), DENIED);
  }
  const [{ name }] = await sqlOf("viewer").unsafe("select name from crm.customer");
  assert.equal(name, "Bob");
  await assert.rejects(async () => await sqlOf("viewer").unsafe("delete from crm.customer"), DENIED);
  await assert.rejects(async () => await sqlOf("publisher").unsafe("select from crm.customer"), DENIED);
  const client = await connectClient({ databaseUrl: urlOf("node"), migrations: CRM });
  await client.close();
});
