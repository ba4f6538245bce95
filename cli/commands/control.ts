import { DispatcherError, EXIT } from "../../runtime/errors.ts";
import { secondsOf, usage } from "../args.ts";
import { type Command, DATABASE_FLAGS } from "../command.ts";

/** The raw control call of dispatcherd: any command, any channel, the replies as they come. */
export const control: Command = {
  summary: "Send a control command and print the replies as JSON",
  usage: "COMMAND [--data JSON] [--channel C | --socket PATH] [--expected-replies N] [--timeout S]",
  words: true,
  flags: {
    data: { type: "string", value: "JSON", help: "Data of the command, an object" },
    channel: { type: "string", value: "C", help: "Where to send it: a node's name, by default `broadcast`" },
    socket: { type: "string", value: "PATH", help: "Ask the node on this Unix socket, without the database" },
    "expected-replies": { type: "number", value: "N", help: "End when so many have come; fewer exit 5" },
    timeout: { type: "number", value: "S", help: "Seconds to wait, by default 1" },
    ...DATABASE_FLAGS,
  },
  async run({ rest, flags, io, client }) {
    if (rest.length !== 1) throw usage("Cannot send a control command: name one");
    const expected = flags["expected-replies"] as number | undefined;
    const data = dataOf(flags.data as string | undefined);
    const channel = flags.channel as string | undefined;
    const options = { timeout: secondsOf(flags, "timeout"), expected };
    if (flags.socket !== undefined && channel !== undefined) {
      throw usage("Cannot use --socket together with --channel: one node listens on a socket");
    }
    const replies = flags.socket === undefined
      ? await (await client()).control(rest[0], data, { channel, ...options })
      : await (await import(
        "../../runtime/connect.ts" as string
      ) as typeof import("../../runtime/connect.ts"))
        .controlSocket(flags.socket as string, rest[0], data, options);
    for (const reply of replies) io.out(JSON.stringify(reply));
    if (replies.length === 0 && expected !== 0) throw new DispatcherError("unavailable", "No node answered");
    return expected !== undefined && replies.length < expected ? EXIT.partial : EXIT.ok;
  },
};

function dataOf(text: string | undefined): Record<string, unknown> | undefined {
  if (text === undefined) return undefined;
  try {
    const data = JSON.parse(text);
    if (typeof data === "object" && data !== null && !Array.isArray(data)) return data;
  } catch {
    // Said below.
  }
  throw usage(`Cannot read --data ${JSON.stringify(text)}: it is not a JSON object`);
}
