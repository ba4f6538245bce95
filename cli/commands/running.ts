import { EXIT } from "../../runtime/errors.ts";
import { type Command, NODE_FLAGS } from "../command.ts";
import { askNodes } from "../nodes.ts";

/** The uuids that run now. */
export const running: Command = {
  summary: "Print the uuids that run now",
  usage: "[--node N] [--json]",
  flags: NODE_FLAGS,
  async run(context) {
    const { replies, silent } = await askNodes(context, "running");
    const uuids = replies.flatMap((reply) =>
      Object.entries(reply).filter(([key]) => key.startsWith("worker-")).map(([, held]) =>
        (held as { uuid: string }).uuid
      )
    );
    const { io, flags } = context;
    io.out(flags.json ? JSON.stringify(uuids) : `[${uuids.map((uuid) => `'${uuid}'`).join(", ")}]`);
    for (const node of silent) io.err(`Node "${node.name}" did not answer`);
    return silent.length > 0 ? EXIT.partial : EXIT.ok;
  },
};
