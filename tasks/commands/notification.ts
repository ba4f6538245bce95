/**
 * `awx notification …`: where it is told what became of jobs. What they hold comes from a file or stdin: passwords are in
 * it, and the URL of a webhook is often a secret itself.
 *
 * @module
 */
import { type Command, type Context, EXIT, type Flags, secondsOf, usage } from "edge-dispatcher/command";
import { nameOfTemplate, templateByName } from "../jobs/model/names.ts";
import {
  attach,
  type Attachment,
  configureNotificationTemplate,
  createNotificationTemplate,
  detachFrom,
  listAttachments,
  NOTIFICATION_KINDS,
  NOTIFICATION_TEMPLATES,
  type NotificationTemplate,
} from "../jobs/model/notification_templates.ts";
import { NOTIFICATION_EVENTS } from "../jobs/model/notify.ts";
import type { Db } from "../jobs/model/rows.ts";
import { byName, listAll } from "../jobs/model/table.ts";
import { TEMPLATE_KINDS } from "../jobs/model/unified_job.ts";
import type { Tested } from "../notifications/send_test.ts";
import { choiceOf, choicesOf } from "./fields.ts";
import { readDocument } from "./files.ts";
import { KIND_FLAG } from "./job.ts";
import { type Cells, COMMON, connected, nameOf, tell, writeRows } from "./kit.ts";
import { deleteCommand } from "./resource.ts";

const SEND_TEST = "notifications/send_test";

type Listed = NotificationTemplate & { attached: string[] };

const CELLS: Cells<Listed> = [
  ["NAME", ({ name }) => name],
  ["KIND", ({ kind }) => kind],
  ["TELLS OF", ({ attached }) => attached.length === 0 ? "-" : attached.join("; ")],
];

export const notificationList: Command = {
  summary: "List notification templates and what they tell of; never what is in them",
  usage: "",
  flags: COMMON,
  async run(context) {
    const { db } = await connected(context);
    const attachments = await listAttachments(db);
    const listed = await Promise.all((await listAll(db, NOTIFICATION_TEMPLATES)).map(async (row) => ({
      ...row,
      attached: await attachedOf(db, attachments.filter((one) => one.notification_template_id === row.id)),
    })));
    writeRows(context, CELLS, listed);
  },
};

/** By template: `job_template deploy (error, success)`. */
async function attachedOf(db: Db, attachments: readonly Attachment[]): Promise<string[]> {
  const events = new Map<string, string[]>();
  for (const { template_kind: kind, template_id: id, event } of attachments) {
    const template = `${kind} ${await nameOfTemplate(db, { kind, id })}`;
    events.set(template, [...events.get(template) ?? [], event]);
  }
  return [...events].map(([template, list]) => `${template} (${list.join(", ")})`);
}

const FROM: Flags = {
  from: { type: "string", value: "FILE", help: "What it holds, an object in JSON or YAML; - is stdin" },
};

export const notificationCreate: Command = {
  summary: "Make a notification template; what it holds from a file or stdin",
  usage: `NAME --kind ${NOTIFICATION_KINDS.join("|")} --from FILE`,
  words: true,
  flags: {
    kind: { type: "string", value: "K", choices: NOTIFICATION_KINDS, help: NOTIFICATION_KINDS.join(", ") },
    ...FROM,
    ...COMMON,
  },
  async run(context) {
    const name = nameOf(context, "create a notification template");
    const kind = choiceOf(context.flags.kind, "kind", NOTIFICATION_KINDS);
    if (kind === undefined) throw usage(`Cannot create it without --kind: ${NOTIFICATION_KINDS.join(", ")}`);
    const configuration = await configurationOf(context);
    const { client } = await connected(context);
    const made = await client.transaction((tx) =>
      createNotificationTemplate(tx, { name, kind, configuration })
    );
    tell(context, made, `${name} created`);
  },
};

export const notificationModify: Command = {
  summary: "Replace what a notification template holds",
  usage: "NAME --from FILE",
  words: true,
  flags: { ...FROM, ...COMMON },
  async run(context) {
    const name = nameOf(context, "change a notification template");
    const configuration = await configurationOf(context);
    const { client, db } = await connected(context);
    const { id } = await byName(db, NOTIFICATION_TEMPLATES, name);
    const changed = await client.transaction((tx) => configureNotificationTemplate(tx, id, configuration));
    tell(context, changed, `${name} changed`);
  },
};

async function configurationOf({ flags, io }: Context): Promise<unknown> {
  if (flags.from === undefined) throw usage("Cannot go on without --from: the file that says what it holds");
  return await readDocument(io, flags.from as string);
}

const ATTACH: Flags = {
  template: { type: "string", value: "NAME", help: "Whose jobs are told of" },
  ...KIND_FLAG,
  on: {
    type: "string",
    value: "E,…",
    choices: NOTIFICATION_EVENTS,
    help: `Of which events, by default all: ${NOTIFICATION_EVENTS.join(", ")}`,
  },
  ...COMMON,
};

export const notificationAttach: Command = attaching(
  "attach",
  "Have it told what becomes of a template's jobs",
  attach,
);
export const notificationDetach: Command = attaching("detach", "Have it told no more", detachFrom);

function attaching(verb: string, summary: string, act: typeof attach): Command {
  return {
    summary,
    usage: "NAME --template T [--on success,error]",
    words: true,
    flags: ATTACH,
    async run(context) {
      const { flags } = context;
      const name = nameOf(context, `${verb} a notification template`);
      if (flags.template === undefined) {
        throw usage(`Cannot ${verb} ${JSON.stringify(name)} without --template`);
      }
      const kind = choiceOf(flags.kind, "kind", TEMPLATE_KINDS) ?? "job_template";
      const events = choicesOf(flags.on, "on", NOTIFICATION_EVENTS) ?? NOTIFICATION_EVENTS;
      const { client, db } = await connected(context);
      const template = await templateByName(db, kind, flags.template as string);
      await client.transaction(async (tx) =>
        await act(tx, await byName(tx, NOTIFICATION_TEMPLATES, name), template, events)
      );
      const at = verb === "attach" ? "attached to" : "detached from";
      tell(context, { name, template, events }, `${name} ${at} ${flags.template} (${events.join(", ")})`);
    },
  };
}

const TESTED: Cells<Tested> = [
  ["RECIPIENT", ({ recipient }) => recipient],
  ["OUTCOME", ({ error }) => error === "" ? "taken" : error],
];
const TEST_SECONDS = 60;

export const notificationTest: Command = {
  summary: "Send a message by a notification template, from a node; exit 1 when a recipient did not take it",
  usage: "NAME [--within S]",
  words: true,
  flags: {
    within: {
      type: "number",
      value: "S",
      help: `Seconds to wait for the outcome, by default ${TEST_SECONDS}`,
    },
    ...COMMON,
  },
  async run(context) {
    const name = nameOf(context, "test a notification template");
    const within = secondsOf(context.flags, "within") ?? TEST_SECONDS;
    const { client, db } = await connected(context);
    const { id } = await byName(db, NOTIFICATION_TEMPLATES, name);
    const tested = await (await client.publish<Tested[]>(SEND_TEST, [id])).result({ within });
    writeRows(context, TESTED, tested);
    return tested.every(({ error }) => error === "") ? EXIT.ok : EXIT.failed;
  },
};

export const notificationDelete: Command = deleteCommand({
  table: NOTIFICATION_TEMPLATES,
  cells: [],
  fields: [],
});
