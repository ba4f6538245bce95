import type { Client } from "../../runtime/client.ts";
import { DispatcherError, EXIT } from "../../runtime/errors.ts";
import { isFinal } from "../../runtime/state.ts";
import { type Parsed, usage } from "../args.ts";
import { type Command, DATABASE_FLAGS, JSON_FLAG } from "../command.ts";
import type { IO } from "../io.ts";

type Line = Awaited<ReturnType<Client["logs"]>>[number];
type Row = Awaited<ReturnType<Client["find"]>>[number];

const PAGE = 1_000;
const POLL_MS = 500;

/** What the attempts of an envelope have printed and said. */
export const logs: Command = {
  summary: "Print what the attempts of an envelope have printed and said",
  usage: "UUID-OR-PREFIX [-f] [--attempt N]",
  words: true,
  flags: {
    follow: { type: "boolean", short: "f", help: "Go on until the envelope is final" },
    attempt: { type: "number", value: "N", help: "Of this attempt only" },
    ...JSON_FLAG,
    ...DATABASE_FLAGS,
  },
  async run({ client: open, rest, flags, io }) {
    if (rest.length !== 1) throw usage("Cannot print logs: name one uuid, or the beginning of one");
    const attempt = attemptOf(flags);
    const client = await open();
    const rows = await client.find(rest[0], "print the logs of", { log: true });
    const readers = rows.map((row) => new Reader({ client, io, row, attempt, json: flags.json === true }));
    // Of a broadcast the copies have nothing in common: each says whose it is, on a terminal as in JSON.
    for (const reader of readers) await reader.read(rows.length > 1);
    while (flags.follow && readers.some((reader) => !reader.over)) {
      await new Promise((resolve) => setTimeout(resolve, POLL_MS));
      for (const reader of readers) if (!reader.over) await reader.read(rows.length > 1);
    }
    if (readers.every((reader) => reader.count === 0)) io.err(`Nothing was printed by ${rows[0].uuid}`);
    return EXIT.ok;
  },
};

function attemptOf(flags: Parsed["flags"]): number | undefined {
  const attempt = flags.attempt as number | undefined;
  if (attempt === undefined || (Number.isInteger(attempt) && attempt > 0)) return attempt;
  throw usage(`Flag --attempt needs a whole number from 1: given "${attempt}"`);
}

interface Reading {
  client: Client;
  io: IO;
  row: Row;
  attempt: number | undefined;
  json: boolean;
}

/** Reads the lines of one envelope, each once. */
class Reader {
  readonly #reading: Reading;
  #last: Line | undefined;
  #ended = false;
  count = 0;
  /** It is final, and all that it said was read. */
  over = false;

  constructor(reading: Reading) {
    this.#reading = reading;
  }

  async read(named: boolean): Promise<void> {
    const { client, row, attempt } = this.#reading;
    // Asked before the lines: those of the end may be written a moment after it, and are there at the next look.
    const ended = this.#ended;
    if (!ended) this.#ended = await this.#isFinal();
    let page: Line[];
    do {
      page = await client.logs(row.uuid, { attempt, after: this.#last, limit: PAGE });
      for (const line of page) this.#print(line, named);
      this.#last = page.at(-1) ?? this.#last;
      this.count += page.length;
    } while (page.length === PAGE);
    this.over = ended;
  }

  async #isFinal(): Promise<boolean> {
    const { client, row } = this.#reading;
    try {
      const [found] = await client.find(row.uuid);
      return isFinal(found.state);
    } catch (error) {
      // Its retention is over.
      if (error instanceof DispatcherError && error.code === "not_found") return true;
      throw error;
    }
  }

  #print(line: Line, named: boolean): void {
    const { io, json } = this.#reading;
    if (json) return io.out(JSON.stringify(line));
    const { at, level, text, attempt, node } = line;
    if (attempt !== this.#last?.attempt && this.#reading.attempt === undefined && io.tty) {
      io.out(`-- attempt ${attempt} on ${node}`);
    }
    const place = named ? `${node} ` : "";
    io.out(`${at} ${place}${level.toUpperCase().padEnd(7)} ${text}`);
    this.#last = line;
  }
}
