/**
 * The one way in which commands act on envelopes: those that are named, or all that a filter finds, in batches.
 *
 * @module
 */
import type { Client } from "../runtime/client.ts";
import { EXIT } from "../runtime/errors.ts";
import type { State } from "../runtime/state.ts";
import { type Flags, type Parsed, usage } from "./args.ts";
import { type Command, type Context, DATABASE_FLAGS, FILTER_FLAGS, JSON_FLAG } from "./command.ts";
import { confirm, YES_FLAG } from "./confirm.ts";
import { filterOf } from "./filter.ts";
import { Progress } from "./progress.ts";

/** What became of one envelope. */
interface Done {
  uuid: string;
  did: string;
  node: string | null;
}

/** Something that can be done to envelopes. */
export interface Act {
  verb: string;
  summary: string;
  /** States in which it does something. */
  states: readonly State[];
  /** States that a filter without --state means. */
  usual: readonly State[];
  /** Flags of its own. */
  flags?: Flags;
  run(client: Client, uuids: string[], flags: Parsed["flags"]): Promise<Done[]>;
  /** What is said of each thing that it did; of all else, that it is so already. */
  says: Readonly<Record<string, string>>;
}

const BATCH = 500;

/** Make the command of an act. */
export function actCommand(act: Act): Command {
  return {
    summary: act.summary,
    usage: "UUID-OR-PREFIX… | --state S --queue Q --task PATH --node N --older S [--yes]",
    words: true,
    flags: { ...FILTER_FLAGS, ...act.flags, ...YES_FLAG, ...JSON_FLAG, ...DATABASE_FLAGS },
    run: (context) => perform(act, context),
  };
}

async function perform(act: Act, context: Context): Promise<number> {
  const { io, flags } = context;
  const rows = await chosen(act, context);
  // Told apart before: of what is done now and of what was so already, the store says the same word.
  const able = rows.filter(({ state }) => act.states.includes(state)).map(({ uuid }) => uuid);
  const client = await context.client();
  let changed = 0;
  const progress = new Progress(io, act.verb, able.length);
  const say = (one: Done, text: string) => io.out(flags.json ? JSON.stringify(one) : `${one.uuid} ${text}`);
  for (let at = 0; at < able.length; at += BATCH) {
    const batch = new Set(able.slice(at, at + BATCH));
    const done = await act.run(client, [...batch], flags);
    progress.end();
    for (const { uuid, did, node } of done) {
      batch.delete(uuid);
      if (did in act.says) changed++;
      say({ uuid, did, node }, act.says[did]?.replace("NODE", `${node}`) ?? `already ${did}`);
    }
    // Pruned meanwhile, or an entry of the broadcast log.
    progress.advance(Math.min(BATCH, able.length - at));
    for (const uuid of batch) io.err(`Cannot ${act.verb} "${uuid}": no node has an envelope of this uuid`);
  }
  progress.end();
  for (const { uuid, state, node = null } of rows) {
    if (!act.states.includes(state)) say({ uuid, did: state, node }, `already ${state}`);
  }
  return changed > 0 || rows.length === 0 ? EXIT.ok : EXIT.refused;
}

type Chosen = { uuid: string; state: State; node?: string | null };

async function chosen({ verb, states, usual }: Act, context: Context): Promise<Chosen[]> {
  const { rest, flags, io, client: open } = context;
  const filter = filterOf(flags);
  const filtered = Object.values(filter).some((value) => value !== undefined);
  if (rest.length > 0 && filtered) throw usage(`Cannot ${verb} by uuid and by filter at once`);
  if (rest.length === 0 && !filtered) throw usage(`Cannot ${verb}: name a uuid, or a filter with --yes`);
  const client = await open();
  if (rest.length > 0) {
    const found = (await Promise.all(rest.map((word) => client.find(word, verb)))).flat();
    return [...new Map(found.map((row) => [row.uuid, row])).values()];
  }
  const rows = await client.matching({ ...filter, state: filter.state ?? [...usual] });
  const count = rows.filter(({ state }) => states.includes(state)).length;
  if (count > 0) await confirm(io, flags, `${verb} ${count} envelope${count === 1 ? "" : "s"}`);
  return rows;
}
