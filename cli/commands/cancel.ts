import { DispatcherError, EXIT } from "../../runtime/errors.ts";
import { LIVE_STATES } from "../../runtime/state.ts";
import { usage } from "../args.ts";
import { type Command, type Context, DATABASE_FLAGS, FILTER_FLAGS, JSON_FLAG } from "../command.ts";
import { filterOf } from "../filter.ts";

const MANY = 10_000;

/** End envelopes: what waits at once, what runs by its signal, on whichever node. */
export const cancel: Command = {
  summary: "Cancel envelopes, running ones on any node",
  usage: "UUID-OR-PREFIX… | --queue Q --task PATH --state S --node N --yes",
  words: true,
  flags: {
    ...FILTER_FLAGS,
    yes: { type: "boolean", help: "Do it to all that the filter finds" },
    ...JSON_FLAG,
    ...DATABASE_FLAGS,
  },
  async run(context) {
    const { io, flags } = context;
    const uuids = await chosen(context);
    const done = uuids.length === 0 ? [] : await (await context.client()).cancel(uuids);
    for (const row of done) {
      io.out(flags.json ? JSON.stringify(row) : `${row.uuid} ${sentence(row.did, row.node)}`);
    }
    const changed = done.filter((row) => row.did === "cancelled" || row.did === "requested").length;
    return changed > 0 || uuids.length === 0 ? EXIT.ok : EXIT.refused;
  },
};

async function chosen(context: Context): Promise<string[]> {
  const { rest, flags, client: open } = context;
  const filter = filterOf(flags);
  const filtered = Object.values(filter).some((value) => value !== undefined);
  if (rest.length > 0 && filtered) throw usage("Cannot cancel by uuid and by filter at once");
  if (rest.length === 0 && !filtered) throw usage("Cannot cancel: name a uuid, or a filter with --yes");
  const client = await open();
  if (rest.length > 0) {
    const found = await Promise.all(rest.map((word) => client.find(word, "cancel")));
    return found.flat().map((row) => row.uuid);
  }
  const rows = await client.list({ state: [...LIVE_STATES], ...definedOnly(filter), limit: MANY });
  if (rows.length > 0 && !flags.yes) {
    throw new DispatcherError("refused", `Cannot cancel ${rows.length} envelopes without --yes`);
  }
  return rows.map((row) => row.uuid);
}

function definedOnly<T extends object>(value: T): Partial<T> {
  return Object.fromEntries(Object.entries(value).filter(([, member]) => member !== undefined)) as Partial<T>;
}

function sentence(did: string, node: string | null): string {
  if (did === "cancelled") return "cancelled";
  if (did === "requested") return `cancel requested on ${node}`;
  return `already ${did}`;
}
