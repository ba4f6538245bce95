import { usage } from "../args.ts";
import { type Command, DATABASE_FLAGS, JSON_FLAG } from "../command.ts";
import { oneLine } from "../table.ts";

/** Why an envelope does not run, or who runs it, or how it ended. */
export const why: Command = {
  summary: "Tell why an envelope does not run, or who runs it, or how it ended",
  usage: "UUID-OR-PREFIX",
  words: true,
  flags: { ...JSON_FLAG, ...DATABASE_FLAGS },
  async run({ client, rest, flags, io }) {
    if (rest.length !== 1) throw usage("Cannot explain: name one uuid, or the beginning of one");
    for (const row of await (await client()).why(rest[0])) {
      if (flags.json) {
        io.out(JSON.stringify(row));
        continue;
      }
      io.out(`${row.uuid} ${row.state}`);
      for (const { text } of row.why) io.out(`  ${oneLine(text)}`);
    }
  },
};
