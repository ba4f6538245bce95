import { secondsOf, usage } from "../args.ts";
import { type Command, DATABASE_FLAGS, FILTER_FLAGS, JSON_FLAG } from "../command.ts";
import { writeTable } from "../table.ts";

const LIMIT = 50;
const COLUMNS = [
  { title: "COUNT", right: true },
  { title: "LAST" },
  { title: "UUID" },
  { title: "TASK" },
  { title: "ERROR" },
];

/** What was discarded, by task and error. */
export const failures: Command = {
  summary: "Count what was discarded, by task and error, the latest first",
  usage: "[--task PATH] [--queue Q] [--within S] [--limit N]",
  flags: {
    queue: FILTER_FLAGS.queue,
    task: FILTER_FLAGS.task,
    within: { type: "number", value: "S", help: "Of the last so many seconds" },
    limit: { type: "number", value: "N", help: `At most so many, by default ${LIMIT}` },
    ...JSON_FLAG,
    ...DATABASE_FLAGS,
  },
  async run({ client, flags, io }) {
    const limit = flags.limit as number ?? LIMIT;
    if (!Number.isInteger(limit) || limit < 1) {
      throw usage(`Flag --limit needs a whole number from 1: given "${limit}"`);
    }
    const rows = await (await client()).failures({
      queue: flags.queue as string,
      task: flags.task as string,
      withinSeconds: secondsOf(flags, "within"),
      limit,
    });
    if (flags.json) {
      for (const row of rows) io.out(JSON.stringify(row));
      return;
    }
    const cells = rows.map((row) => [
      `${row.count}`,
      row.last_at,
      row.last_uuid,
      row.task,
      row.message === "" ? row.error : `${row.error}: ${row.message}`,
    ]);
    writeTable(io, COLUMNS, cells);
  },
};
