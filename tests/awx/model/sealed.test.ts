// @runtimes deno
/** Credentials and notification templates: what they hold is written sealed, and shown nowhere. */
import assert from "node:assert/strict";
import {
  createCredential,
  credentialByName,
  CREDENTIALS,
  listCredentials,
  openCredential,
  updateCredential,
} from "../../../tasks/jobs/model/credentials.ts";
import {
  attach,
  createNotificationTemplate,
  detachFrom,
  listAttachments,
} from "../../../tasks/jobs/model/notification_templates.ts";
import { PROJECTS } from "../../../tasks/jobs/model/projects.ts";
import { open } from "../../../tasks/jobs/model/secrets.ts";
import { create, remove } from "../../../tasks/jobs/model/table.ts";
import { deleteProject } from "../../../tasks/jobs/model/deletion.ts";
import { test } from "../../harness.ts";
import { awxDatabase } from "../database.ts";

const SECRET = "hunter2";
const harmless = (message: RegExp) => (error: Error) => {
  assert.match(error.message, message);
  assert.doesNotMatch(error.message, new RegExp(SECRET));
  return true;
};

test("a credential is sealed, opened by its id, and listed by the names of its fields", async (t) => {
  const { sql, client } = await awxDatabase(t);
  const draft = {
    name: "login",
    kind: "machine",
    inputs: { username: "deploy", password: SECRET, ssh_key: "" },
  };
  const { id } = await client.transaction((tx) => createCredential(tx, draft));
  const [{ inputs }] = await sql.unsafe("select inputs from awx.credential");
  assert.match(inputs, /^v1:/);
  assert.deepEqual((await openCredential(sql, id)).inputs, draft.inputs);
  const listed = await listCredentials(sql);
  assert.deepEqual(listed.map(({ name, kind, fields }) => [name, kind, fields]), [
    ["login", "machine", ["password", "username"]],
  ]);
  assert.deepEqual(await credentialByName(sql, `${id}`), listed[0]);
  await updateCredential(sql, id, { inputs: { password: null, become_password: "root" } });
  assert.deepEqual((await openCredential(sql, id)).inputs, {
    username: "deploy",
    ssh_key: "",
    become_password: "root",
  });
  // Sealed for another place: listed all the same, for whoever must replace it.
  await sql.unsafe("insert into awx.credential (name, kind, inputs) values ('moved', 'scm', $1::text)", [
    inputs,
  ]);
  assert.equal((await credentialByName(sql, "moved")).fields, null);
  await assert.rejects(openCredential(sql, id + 1), /Cannot open the secrets of credential:/);
});

test("createCredential() refuses what its kind has not, and never says the value", async (t) => {
  const { sql, client } = await awxDatabase(t);
  const cases: [string, unknown, RegExp][] = [
    ["machine", { pasword: SECRET }, /Cannot create credential "c": Unrecognized key: "pasword"/],
    ["scm", {}, /nothing is set; kind scm has username, password, ssh_key, ssh_key_unlock$/],
    ["vault", { vault_id: `${SECRET} x`, vault_password: SECRET }, /vault_id: a vault id has letters/],
    ["vault", { vault_id: "prod" }, /vault_password: /],
    ["env", { "A-B": SECRET }, /A-B: /],
    ["env", { A: `${SECRET}\u0000` }, /A: the environment holds no NUL/],
    ["cloud", { password: SECRET }, /kind: /],
  ];
  for (const [kind, inputs, message] of cases) {
    await assert.rejects(
      client.transaction((tx) => createCredential(tx, { name: "c", kind, inputs })),
      harmless(message),
    );
  }
  await client.transaction((tx) =>
    createCredential(tx, { name: "c", kind: "env", inputs: { TOKEN: SECRET } })
  );
  await assert.rejects(
    client.transaction((tx) => createCredential(tx, { name: "c", kind: "env", inputs: { TOKEN: SECRET } })),
    harmless(/Cannot create credential "c": there is one of this name/),
  );
  const { id: credential_id } = await credentialByName(sql, "c");
  await create(sql, PROJECTS, { name: "p", local_path: "/srv/p", credential_id });
  await assert.rejects(
    remove(sql, CREDENTIALS, credential_id),
    /Cannot delete credential "c": project "p" uses it/,
  );
});

test("a notification template is sealed, attached to templates, and detached when they are deleted", async (t) => {
  const { sql, client } = await awxDatabase(t);
  const make = (draft: unknown) => client.transaction((tx) => createNotificationTemplate(tx, draft));
  const mail = await make({
    name: "ops",
    kind: "email",
    configuration: {
      host: "mail",
      sender: "awx@example.org",
      recipients: ["ops@example.org"],
      password: SECRET,
    },
  });
  const [{ configuration }] = await sql.unsafe("select configuration from awx.notification_template");
  assert.match(configuration, /^v1:/);
  const opened = open(configuration, `notification_template:${mail.id}`) as Record<string, unknown>;
  assert.deepEqual([opened.port, opened.password], [25, SECRET]);
  await assert.rejects(
    make({ name: "w", kind: "webhook", configuration: { url: `ftp://${SECRET}@x` } }),
    harmless(/Cannot create notification template "w": url: it is no http or https URL$/),
  );
  const project = await create(sql, PROJECTS, { name: "p", local_path: "/srv/p" });
  const template = { kind: "project" as const, id: project.id };
  await client.transaction((tx) => attach(tx, mail, template, ["success", "error"]));
  await client.transaction((tx) => attach(tx, mail, template, ["error", "started"]));
  assert.deepEqual((await listAttachments(sql, mail.id)).map(({ event }) => event), [
    "error",
    "started",
    "success",
  ]);
  await detachFrom(sql, mail, template, ["started"]);
  assert.deepEqual((await listAttachments(sql, mail.id)).map(({ event }) => event), ["error", "success"]);
  await assert.rejects(
    attach(sql, mail, template, ["later"]),
    /Cannot attach notification template "ops": 0: /,
  );
  await assert.rejects(
    attach(sql, mail, { kind: "job_template", id: 9 }, ["error"]),
    /there is no job template 9/,
  );
  await client.transaction((tx, publish) => deleteProject(tx, publish, project.id));
  assert.deepEqual(await listAttachments(sql), []);
});
