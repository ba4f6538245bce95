import type { Client } from "../../runtime/client.ts";
import { usage } from "../args.ts";
import { type Command, type Context, DATABASE_FLAGS, JSON_FLAG } from "../command.ts";
import { confirm, YES_FLAG } from "../confirm.ts";
import { Progress } from "../progress.ts";
import { ago, writeTable } from "../table.ts";

const COLUMNS = [
  { title: "QUEUE" },
  { title: "AVAILABLE", right: true },
  { title: "RUNNING", right: true },
  { title: "SCHEDULED", right: true },
  { title: "RETRYABLE", right: true },
  { title: "OLDEST", right: true },
  { title: "RATE", right: true },
  { title: "STATE" },
];

/** What stands in each queue. */
export const queueList: Command = {
  summary: "List queues: what waits, what runs, and the oldest",
  usage: "",
  flags: { ...JSON_FLAG, ...DATABASE_FLAGS },
  async run({ client, flags, io }) {
    const open = await client();
    const [rows, settled] = await Promise.all([open.queues(), open.rates()]);
    const rates = ratesOf(settled);
    // One that is empty now has a rate all the same.
    const empty = {
      scheduled: 0,
      available: 0,
      running: 0,
      retryable: 0,
      oldest_seconds: null,
      paused: false,
    };
    const idle = [...rates.keys()].filter((name) => !rows.some(({ queue }) => queue === name));
    const queues = [...rows, ...idle.map((queue) => ({ queue, ...empty }))]
      .map((row) => ({ ...row, rate: Math.round((rates.get(row.queue) ?? 0) * 100) / 100 }))
      .sort((a, b) => a.queue < b.queue ? -1 : 1);
    if (flags.json) {
      for (const queue of queues) io.out(JSON.stringify(queue));
      return;
    }
    const lines = queues.map((q) => [
      q.queue,
      `${q.available}`,
      `${q.running}`,
      `${q.scheduled}`,
      `${q.retryable}`,
      q.oldest_seconds === null ? "-" : ago(q.oldest_seconds),
      rateText(q.rate),
      q.paused ? "paused" : "active",
    ]);
    writeTable(io, COLUMNS, lines);
  },
};

/** Attempts that end in a second, over the last minute, by queue. */
export function ratesOf(rates: Awaited<ReturnType<Client["rates"]>>): Map<string, number> {
  return new Map(rates.map(({ queue, settled_60s }) => [queue, settled_60s]));
}

/** Attempts that end, by the second or, where they are few, by the minute. */
export function rateText(rate: number): string {
  if (rate === 0) return "-";
  return rate < 1 ? `${Math.round(rate * 60)}/min` : `${rate < 10 ? rate.toFixed(1) : Math.round(rate)}/s`;
}

/** Let no node claim from a queue; what runs goes on. */
export const queuePause: Command = switching(
  "pause",
  "paused",
  "Claim nothing from a queue until it is resumed; what runs goes on",
  (client, queue) => client.pauseQueue(queue),
);

/** Let nodes claim from a queue again. */
export const queueResume: Command = switching(
  "resume",
  "resumed",
  "Claim from a paused queue again",
  (client, queue) => client.resumeQueue(queue),
);

function switching(
  verb: string,
  done: string,
  summary: string,
  run: (client: Client, queue: string) => Promise<boolean>,
): Command {
  return {
    summary,
    usage: "QUEUE",
    words: true,
    flags: { ...JSON_FLAG, ...DATABASE_FLAGS },
    async run(context) {
      const queue = nameOf(context, verb);
      const changed = await run(await context.client(), queue);
      const { io, flags } = context;
      if (flags.json) io.out(JSON.stringify({ queue, changed }));
      else {io.out(
          changed
            ? `${queue} ${done}`
            : verb === "pause"
            ? `${queue} is paused already`
            : `${queue} is not paused`,
        );}
    },
  };
}

/** Cancel what waits in a queue. */
export const queuePurge: Command = {
  summary: "Cancel all that waits in a queue; what runs goes on",
  usage: "QUEUE [--yes]",
  words: true,
  flags: { ...YES_FLAG, ...JSON_FLAG, ...DATABASE_FLAGS },
  async run(context) {
    const queue = nameOf(context, "purge");
    const { io, flags } = context;
    const client = await context.client();
    const row = (await client.queues()).find((one) => one.queue === queue);
    const count = row ? row.scheduled + row.available + row.retryable : 0;
    if (count > 0) await confirm(io, flags, `purge ${count} of queue "${queue}"`);
    const progress = new Progress(io, "Purged", count);
    const purged = await client.purgeQueue(queue, (more) => progress.advance(more)).finally(() =>
      progress.end()
    );
    io.out(flags.json ? JSON.stringify({ queue, purged }) : `${queue} purged: ${purged} cancelled`);
  },
};

function nameOf({ rest }: Context, verb: string): string {
  if (rest.length !== 1) throw usage(`Cannot ${verb} a queue: name one`);
  return rest[0];
}
