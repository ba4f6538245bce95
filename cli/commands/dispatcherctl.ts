import { EXIT } from "../../runtime/errors.ts";
import { usage } from "../args.ts";
import { type Command, type Context, NODE_FLAGS } from "../command.ts";
import { askNodes } from "../nodes.ts";

/** A command of dispatcherctl: asks every live node, and prints each reply as a line of JSON. */
function ask(name: string, summary: string): Command {
  return { summary, usage: "[--node N]", flags: NODE_FLAGS, run: (context) => print(context, name) };
}

async function print(context: Context, name: string, data?: Record<string, unknown>): Promise<number> {
  const { replies, silent } = await askNodes(context, name, data);
  for (const reply of replies) context.io.out(JSON.stringify(reply));
  for (const { name } of silent) context.io.err(`Node "${name}" did not answer`);
  if (replies.length === 0) return EXIT.unavailable;
  if (replies.some((reply) => "error" in reply)) return EXIT.failed;
  return silent.length > 0 ? EXIT.partial : EXIT.ok;
}

export const workers: Command = ask("workers", "Print the workers of each node as JSON");
export const producers: Command = ask("producers", "Print what publishes by itself on each node as JSON");
export const mainCommand: Command = ask("main", "Print the counts of each node as JSON");
export const metrics: Command = ask("metrics", "Print the state of each node's metrics as JSON");
export const chunks: Command = ask("chunks", "Print what chunked messages each node has seen as JSON");
export const aioTasks: Command = ask("aio_tasks", "Print the running services of each node as JSON");

/** Change the level of the log of running nodes. */
export const setLogLevel: Command = {
  summary: "Change the log level of running nodes",
  usage: "LEVEL [--node N]",
  words: true,
  flags: NODE_FLAGS,
  async run(context) {
    if (context.rest.length !== 1) {
      throw usage("Cannot set the log level: name one of debug, info, warning, error");
    }
    return await print(context, "set_log_level", { level: context.rest[0] });
  },
};
