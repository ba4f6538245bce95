import type { Client } from "../../runtime/client.ts";
import { resultOf } from "../../runtime/outcome.ts";
import { DispatcherError } from "../../runtime/errors.ts";
import { isFinal } from "../../runtime/state.ts";
import { secondsOf, usage } from "../args.ts";
import { type Command, DATABASE_FLAGS } from "../command.ts";

type Row = Awaited<ReturnType<Client["list"]>>[number];

/** The result of an envelope as JSON; of a broadcast, an object by node. */
export const result: Command = {
  summary: "Print the result of an envelope as JSON",
  usage: "UUID-OR-PREFIX [--wait]",
  words: true,
  flags: {
    wait: { type: "boolean", help: "Wait for the outcome" },
    within: { type: "number", value: "S", help: "Seconds to wait, by default 300" },
    ...DATABASE_FLAGS,
  },
  async run({ client: open, rest, flags, io }) {
    if (rest.length !== 1) throw usage("Cannot print a result: name one uuid, or the beginning of one");
    const client = await open();
    const rows = await client.find(rest[0], "print the result of");
    if (flags.wait) {
      const within = secondsOf(flags, "within");
      const { origin, uuid } = rows[0];
      io.out(
        JSON.stringify(
          resultOf(origin ? await client.waitAll(origin, within) : await client.wait(uuid, within)),
        ),
      );
      return;
    }
    // By name, so that the same broadcast prints the same bytes.
    const byNode = rows.toSorted((a, b) => a.queue < b.queue ? -1 : 1);
    const results = await Promise.all(
      byNode.map(async (row) => {
        finalResult(row);
        return [row.queue, await client.openResult(row)] as const;
      }),
    );
    io.out(JSON.stringify(rows[0].origin === null ? results[0][1] : Object.fromEntries(results)));
  },
};

function finalResult(row: Row): unknown {
  if (isFinal(row.state)) return resultOf(row);
  throw new DispatcherError("refused", `Envelope ${row.uuid} has no result yet: it is ${row.state}`);
}
