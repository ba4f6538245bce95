/**
 * `awx schedule …`: templates that are launched by iCal rules.
 *
 * @module
 */
import { type Command, usage } from "edge-dispatcher/command";
import { nameOfTemplate, templateByName } from "../jobs/model/names.ts";
import {
  createSchedule,
  nextRun,
  type Schedule,
  SCHEDULES,
  updateSchedule,
} from "../jobs/model/schedules.ts";
import { byName } from "../jobs/model/table.ts";
import { TEMPLATE_KINDS } from "../jobs/model/unified_job.ts";
import { choiceOf } from "./fields.ts";
import { KIND_FLAG } from "./job.ts";
import { COMMON, connected, moment, nameOf, tell } from "./kit.ts";
import { deleteCommand, harmless, listCommand, type Resource } from "./resource.ts";
import { VARS_FLAG, varsOf } from "./vars.ts";

type Shown = Schedule & { template: string };

const SCHEDULE: Resource<Schedule, Shown> = {
  table: SCHEDULES,
  cells: [
    ["NAME", ({ name }) => name],
    ["TEMPLATE", ({ template }) => template],
    ["STATE", ({ enabled }) => enabled ? "enabled" : "disabled"],
    ["NEXT", ({ next_run }) => moment(next_run)],
    ["LAST", ({ last_run }) => moment(last_run)],
    ["RULE", ({ rrule }) => rrule],
  ],
  fields: [],
  async view(db, rows) {
    return await Promise.all(rows.map(async (row) => ({
      ...row,
      template: await nameOfTemplate(db, { kind: row.template_kind, id: row.template_id }),
    })));
  },
};

export const scheduleList: Command = listCommand(
  SCHEDULE,
  "List schedules: rule, template, next and last run",
);
export const scheduleDelete: Command = deleteCommand(SCHEDULE);

export const scheduleCreate: Command = {
  summary: "Make a schedule: an iCal rule and the template that it launches",
  usage: "NAME --template T --rrule 'DTSTART:20260301T060000Z RRULE:FREQ=DAILY'",
  words: true,
  flags: {
    template: { type: "string", value: "NAME", help: "What it launches" },
    ...KIND_FLAG,
    rrule: { type: "string", value: "RULE", help: "DTSTART and RRULE of iCal" },
    disabled: { type: "boolean", help: "Not to run until it is enabled" },
    ...VARS_FLAG,
    ...COMMON,
  },
  async run(context) {
    const { flags, io } = context;
    const name = nameOf(context, "create a schedule");
    const missing = ["template", "rrule"].find((flag) => flags[flag] === undefined);
    if (missing) throw usage(`Cannot create a schedule without --${missing}`);
    const kind = choiceOf(flags.kind, "kind", TEMPLATE_KINDS) ?? "job_template";
    const extra_vars = await varsOf(io, flags["extra-vars"]);
    const { client, db } = await connected(context);
    const { id } = await templateByName(db, kind, flags.template as string);
    const input = {
      name,
      rrule: flags.rrule,
      template_kind: kind,
      template_id: id,
      extra_vars: extra_vars ?? {},
      enabled: !flags.disabled,
    };
    const schedule = await client.transaction((tx) => createSchedule(tx, input));
    tell(context, harmless(schedule), `${name} created, next ${moment(schedule.next_run)}`);
  },
};

export const scheduleEnable: Command = switching("enable", true, "Let a schedule run from now on");
export const scheduleDisable: Command = switching("disable", false, "Stop a schedule");

function switching(verb: string, enabled: boolean, summary: string): Command {
  return {
    summary,
    usage: "NAME",
    words: true,
    flags: COMMON,
    async run(context) {
      const name = nameOf(context, `${verb} a schedule`);
      const { client, db } = await connected(context);
      const { id } = await byName(db, SCHEDULES, name);
      const schedule = await client.transaction((tx) => updateSchedule(tx, id, { enabled }));
      tell(context, harmless(schedule), `${schedule.name} ${verb}d`);
    },
  };
}

const COUNT = 5;
const MOST = 1_000;

export const scheduleNext: Command = {
  summary: "Print the next runs of a schedule, or of a rule",
  usage: "NAME | RULE [--count N]",
  words: true,
  flags: { count: { type: "number", value: "N", help: `So many, by default ${COUNT}` }, ...COMMON },
  async run(context) {
    const { flags, io } = context;
    const word = nameOf(context, "print the next runs of a schedule");
    const count = (flags.count as number | undefined) ?? COUNT;
    if (!Number.isInteger(count) || count < 1 || count > MOST) {
      throw usage(`Cannot print ${count} runs: --count is a whole number from 1 to ${MOST}`);
    }
    // What has a = is a rule, and needs no database.
    const rrule = word.includes("=")
      ? word
      : (await byName((await connected(context)).db, SCHEDULES, word)).rrule;
    let at = new Date();
    for (let i = 0; i < count; i++) {
      const next = await nextRun(rrule, at);
      if (next === null) return;
      io.out(flags.json ? JSON.stringify({ at: next.toISOString() }) : next.toISOString());
      at = next;
    }
  },
};
