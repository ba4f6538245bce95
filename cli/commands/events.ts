import type { WatchedEvent } from "../../runtime/control/watch.ts";
import { secondsOf } from "../args.ts";
import { type Command, DATABASE_FLAGS, JSON_FLAG } from "../command.ts";
import { untilInterrupted } from "../interrupt.ts";
import { oneLine } from "../table.ts";

/** What happens on live nodes, as it happens. */
export const events: Command = {
  summary: "Print what happens on live nodes as it happens, until Ctrl-C",
  usage: "[--node N] [--task PATH] [--within S]",
  flags: {
    node: { type: "string", value: "N", help: "On this node only" },
    task: { type: "string", value: "PATH", help: "Of this task only" },
    within: { type: "number", value: "S", help: "End after so many seconds" },
    ...JSON_FLAG,
    ...DATABASE_FLAGS,
  },
  async run({ client: open, flags, io }) {
    const { task, node } = flags as { task?: string; node?: string };
    const within = secondsOf(flags, "within");
    const client = await open();
    const interrupted = untilInterrupted();
    const stop = within === undefined
      ? interrupted.signal
      : AbortSignal.any([interrupted.signal, AbortSignal.timeout(within * 1000)]);
    try {
      await client.events((event) => {
        if (task !== undefined && event.task !== task) return;
        io.out(flags.json ? JSON.stringify(event) : eventLine(event));
      }, { signal: stop, node });
    } finally {
      interrupted.off();
    }
  },
};

/** One event on one line: when, where, what, which, and what else there is. */
export function eventLine({ event, at, node, level, text, ...fields }: WatchedEvent): string {
  const rest = Object.entries(fields)
    .filter(([, value]) => value !== undefined && value !== null)
    .map(([name, value]) => ` ${name}=${typeof value === "string" ? value : JSON.stringify(value)}`);
  const said = text === undefined ? "" : ` ${level === "info" ? "" : `${level}: `}${text}`;
  return oneLine(`${at} ${node} ${event}${said}${rest.join("")}`);
}
