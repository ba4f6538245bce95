import type { Client } from "../../runtime/client.ts";
import { callText } from "../../runtime/redact.ts";
import { usage } from "../args.ts";
import { type Command, DATABASE_FLAGS, FILTER_FLAGS, JSON_FLAG } from "../command.ts";
import { filterOf } from "../filter.ts";
import { shownRow } from "../rows.ts";
import { ago, writeTable } from "../table.ts";

const LIMIT = 50;
const COLUMNS = [
  { title: "UUID" },
  { title: "STATE" },
  { title: "QUEUE" },
  { title: "ATTEMPT", right: true },
  { title: "AGE", right: true },
  { title: "NODE" },
  { title: "TASK" },
];

/** On a narrow terminal the task goes before what `show` has too; a pipe has all columns. */
const NARROW = 100;
const KEPT = new Set([0, 1, 4, 6]);

/** What is known of envelopes, newest first. */
export const list: Command = {
  summary: "List envelopes, newest first",
  usage: "[--state S] [--queue Q] [--task PATH] [--node N] [--older S] [--limit N]",
  flags: {
    ...FILTER_FLAGS,
    limit: { type: "number", value: "N", help: `At most so many, by default ${LIMIT}` },
    ...JSON_FLAG,
    ...DATABASE_FLAGS,
  },
  async run(context) {
    const { io, flags } = context;
    const filter = filterOf(flags);
    const limit = flags.limit as number ?? LIMIT;
    if (!Number.isInteger(limit) || limit < 1) {
      throw usage(`Flag --limit needs a whole number from 1: given "${limit}"`);
    }
    const client = await context.client();
    const rows = await client.list({ ...filter, limit });
    if (flags.json) {
      for (const row of rows) io.out(JSON.stringify(shownRow(row)));
      return;
    }
    const narrow = io.tty && io.columns < NARROW;
    const pick = <T>(all: T[]) => all.filter((_, i) => !narrow || KEPT.has(i));
    writeTable(io, pick(COLUMNS), rows.map((row) => pick(cells(row))));
  },
};

function cells(row: Awaited<ReturnType<Client["list"]>>[number]): string[] {
  const age = ago((Date.now() - Date.parse(row.created_at)) / 1000);
  return [
    row.uuid,
    row.state,
    row.queue,
    `${row.attempt}`,
    age,
    row.node ?? "-",
    callText(row.task, row.args),
  ];
}
