import type { Client } from "../../runtime/client.ts";
import { DispatcherError, EXIT } from "../../runtime/errors.ts";
import { isFinal, LIVE_STATES } from "../../runtime/state.ts";
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
    const rows = await chosen(context);
    // Told apart before: of what the call cancels and of what was cancelled already, it says the same word.
    const final = rows.filter((row) => isFinal(row.state));
    const live = rows.filter((row) => !isFinal(row.state)).map((row) => row.uuid);
    const done = live.length === 0 ? [] : await (await context.client()).cancel(live);
    const say = (row: object, text: string) => io.out(flags.json ? JSON.stringify(row) : text);
    for (const row of done) say(row, `${row.uuid} ${sentence(row.did, row.node)}`);
    for (const { uuid, state, node } of final) say({ uuid, did: state, node }, `${uuid} already ${state}`);
    const changed = done.filter((row) => row.did === "cancelled" || row.did === "requested").length;
    return changed > 0 || rows.length === 0 ? EXIT.ok : EXIT.refused;
  },
};

type Row = Awaited<ReturnType<Client["list"]>>[number];

async function chosen(context: Context): Promise<Row[]> {
  const { rest, flags, client: open } = context;
  const filter = filterOf(flags);
  const filtered = Object.values(filter).some((value) => value !== undefined);
  if (rest.length > 0 && filtered) throw usage("Cannot cancel by uuid and by filter at once");
  if (rest.length === 0 && !filtered) throw usage("Cannot cancel: name a uuid, or a filter with --yes");
  const client = await open();
  if (rest.length > 0) {
    const found = await Promise.all(rest.map((word) => client.find(word, "cancel")));
    return found.flat();
  }
  const rows = await client.list({ state: [...LIVE_STATES], ...definedOnly(filter), limit: MANY });
  if (rows.length > 0 && !flags.yes) {
    throw new DispatcherError("refused", `Cannot cancel ${rows.length} envelopes without --yes`);
  }
  return rows;
}

function definedOnly<T extends object>(value: T): Partial<T> {
  return Object.fromEntries(Object.entries(value).filter(([, member]) => member !== undefined)) as Partial<T>;
}

function sentence(did: string, node: string | null): string {
  if (did === "cancelled") return "cancelled";
  if (did === "requested") return `cancel requested on ${node}`;
  return `already ${did}`;
}
