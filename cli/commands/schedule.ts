import type { Client } from "../../runtime/client.ts";
import { redact } from "../../runtime/redact.ts";
import { nextTicks } from "../../runtime/schedule.ts";
import { usage } from "../args.ts";
import { type Command, type Context, DATABASE_FLAGS, JSON_FLAG } from "../command.ts";
import { writeTable } from "../table.ts";

type Row = Awaited<ReturnType<Client["schedules"]>>[number];

const COLUMNS = ["NAME", "TASK", "RHYTHM", "STATE", "NEXT", "LAST", "SCOPE"].map((title) => ({ title }));
const COUNT = 5;
/** More nodes than this are only counted. */
const NAMED = 3;
const MOST = 1_000;

/** The schedules of the cluster and of its nodes. */
export const scheduleList: Command = {
  summary: "List periodic tasks: rhythm, next and last tick",
  usage: "",
  flags: { ...JSON_FLAG, ...DATABASE_FLAGS },
  async run({ client, flags, io }) {
    // A paused one keeps a time in its row, and will not tick then.
    const rows = (await (await client()).schedules())
      .map((row) => ({ ...row, next_at: row.enabled ? row.next_at : null }));
    if (flags.json) {
      for (const { kwargs: _, ...row } of rows) io.out(JSON.stringify({ ...row, args: redact(row.args) }));
      return;
    }
    writeTable(io, COLUMNS, rows.map(cells));
  },
};

function cells(row: Row): string[] {
  const rhythm = row.every !== null
    ? `every ${row.every} s`
    : `${row.cron}${row.timezone === null ? "" : ` ${row.timezone}`}`;
  const state = row.enabled ? "enabled" : "paused";
  return [row.name, row.task, rhythm, state, row.next_at ?? "-", row.last_at ?? "-", scopeOf(row)];
}

/** `cluster`, or the nodes that tick it by themselves, of many the number. */
function scopeOf({ nodes }: Row): string {
  if (nodes === null) return "cluster";
  return nodes.length > NAMED ? `${nodes.length} nodes` : `node ${nodes.join(", ")}`;
}

/** Publish what a schedule publishes, now. */
export const scheduleRun: Command = {
  summary: "Publish a periodic task now; prints its uuid",
  usage: "NAME",
  words: true,
  flags: DATABASE_FLAGS,
  async run(context) {
    const name = nameOf(context, "run");
    const { uuid, duplicateOf } = await (await context.client()).runSchedule(name);
    context.io.out(uuid);
    if (duplicateOf) context.io.err(`Duplicate of ${duplicateOf} (nothing was published)`);
  },
};

export const schedulePause: Command = switching("pause", false, "Stop the ticks of a periodic task");
export const scheduleResume: Command = switching(
  "resume",
  true,
  "Let a paused periodic task tick from now on",
);

function switching(verb: string, enabled: boolean, summary: string): Command {
  return {
    summary,
    usage: "NAME",
    words: true,
    flags: DATABASE_FLAGS,
    async run(context) {
      const name = nameOf(context, verb);
      await (await context.client()).enableSchedule(name, enabled);
      context.io.out(`${name} ${enabled ? "enabled" : "paused"}`);
    },
  };
}

function nameOf({ rest }: Context, verb: string): string {
  if (rest.length !== 1) throw usage(`Cannot ${verb} a schedule: name one`);
  return rest[0];
}

/** When a cron expression ticks next; needs no database. */
export const scheduleNext: Command = {
  summary: "Print the next ticks of a cron expression",
  usage: "EXPR [--timezone Z] [--count N]",
  words: true,
  flags: {
    timezone: { type: "string", value: "Z", help: "IANA name, by default UTC" },
    count: { type: "number", value: "N", help: `So many, by default ${COUNT}` },
    ...JSON_FLAG,
  },
  run({ rest, flags, io }) {
    const count = (flags.count as number | undefined) ?? COUNT;
    if (rest.length === 0) throw usage("Cannot print ticks: name a cron expression");
    if (!Number.isInteger(count) || count < 1 || count > MOST) {
      throw usage(`Cannot print ${count} ticks: --count is a whole number from 1 to ${MOST}`);
    }
    const timezone = flags.timezone as string | undefined;
    for (const tick of nextTicks({ cron: rest.join(" "), timezone }, new Date(), count)) {
      io.out(flags.json ? JSON.stringify({ at: tick.toISOString() }) : tick.toISOString());
    }
    return Promise.resolve();
  },
};
