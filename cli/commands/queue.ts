import { type Command, DATABASE_FLAGS, JSON_FLAG } from "../command.ts";
import { ago, writeTable } from "../table.ts";

const COLUMNS = [
  { title: "QUEUE" },
  { title: "AVAILABLE", right: true },
  { title: "RUNNING", right: true },
  { title: "SCHEDULED", right: true },
  { title: "RETRYABLE", right: true },
  { title: "OLDEST", right: true },
  { title: "STATE" },
];

/** What stands in each queue. */
export const queueList: Command = {
  summary: "List queues: what waits, what runs, and the oldest",
  usage: "",
  flags: { ...JSON_FLAG, ...DATABASE_FLAGS },
  async run({ client, flags, io }) {
    const queues = await (await client()).queues();
    if (flags.json) {
      for (const queue of queues) io.out(JSON.stringify(queue));
      return;
    }
    const rows = queues.map((q) => [
      q.queue,
      `${q.available}`,
      `${q.running}`,
      `${q.scheduled}`,
      `${q.retryable}`,
      q.oldest_seconds === null ? "-" : ago(q.oldest_seconds),
      q.paused ? "paused" : "active",
    ]);
    writeTable(io, COLUMNS, rows);
  },
};
