import type { BatchCall, Client } from "../../runtime/client.ts";
import { DispatcherError, errorLine, EXIT } from "../../runtime/errors.ts";
import type { PublishOptions } from "../../runtime/envelope.ts";
import type { Published } from "../../runtime/task.ts";
import { uuid7 } from "../../runtime/uuid.ts";
import { type Parsed, usage } from "../args.ts";
import { type Command, type Context, DATABASE_FLAGS } from "../command.ts";
import { readLines } from "../lines.ts";

const BATCH = 1_000;
const RETRY_MS = 500;
const RETRIES = 240;

/** Publish one envelope, or many from stdin. */
export const publish: Command = {
  summary: "Publish an envelope; prints its uuid",
  usage: "TASK [JSON-ARGS…] | -",
  words: true,
  flags: {
    kwargs: { type: "string", value: "JSON", help: "Keyword arguments, an object" },
    queue: { type: "string", value: "Q", help: "Shared queue or a node's name, by default `default`" },
    broadcast: { type: "boolean", help: "To every live node" },
    delay: { type: "number", value: "S", help: "Seconds to wait before it may run" },
    at: { type: "string", value: "ISO", help: "Time before which it may not run" },
    timeout: { type: "number", value: "S", help: "Seconds that an attempt may take" },
    priority: { type: "number", value: "N", help: "Smaller runs earlier, by default 0" },
    "max-attempts": { type: "number", value: "N", help: "Attempts at most, by default what the task says" },
    "on-duplicate": {
      type: "string",
      value: "M",
      help: "When an equal one waits or runs: parallel, discard, serial, queue_one",
    },
    volatile: { type: "boolean", help: "Over the broker only: lowest latency, lost when nobody listens" },
    uuid: { type: "string", value: "U", help: "An id of your own; publishing it twice changes nothing" },
    wait: { type: "boolean", help: "Wait for the outcome and print the result" },
    within: { type: "number", value: "S", help: "Seconds to wait for the outcome, by default 300" },
    ...DATABASE_FLAGS,
  },
  async run(context) {
    const { rest, flags, io } = context;
    if (rest.length === 0) throw usage("Cannot publish: no task is named");
    if (rest[0] === "-") return await publishLines(context);
    const [task, ...words] = rest;
    const args = words.map((word, i) => parseJson(word, `argument ${i + 1}`));
    const options = optionsOf(flags);
    const client = await context.client();
    const published = await client.publish(task, args, options);
    io.out(published.uuid);
    if (published.known) io.err(`Already known: ${published.uuid} (nothing was published)`);
    if (published.duplicateOf) io.err(`Duplicate of ${published.duplicateOf} (nothing was published)`);
    return flags.wait ? await follow(context, published) : EXIT.ok;
  },
};

function optionsOf(flags: Parsed["flags"]): PublishOptions {
  if (flags.broadcast && flags.queue !== undefined) {
    throw usage("Cannot use --broadcast together with --queue");
  }
  const kwargs = flags.kwargs === undefined ? undefined : parseJson(flags.kwargs as string, "--kwargs");
  return {
    kwargs: kwargs as Record<string, unknown>,
    queue: flags.broadcast ? "broadcast" : flags.queue as string,
    delay: flags.delay as number,
    at: flags.at as string,
    timeout: flags.timeout as number,
    priority: flags.priority as number,
    maxAttempts: flags["max-attempts"] as number,
    onDuplicate: flags["on-duplicate"] as PublishOptions["onDuplicate"],
    volatile: flags.volatile as boolean,
    uuid: flags.uuid as string,
  };
}

async function follow({ flags, io }: Context, published: Published<unknown>): Promise<number> {
  io.out(JSON.stringify(await published.result({ within: flags.within as number | undefined })));
  return EXIT.ok;
}

/** A word as JSON; a word that is no JSON is an error and not a string, so that a typo is not published. */
function parseJson(word: string, what: string): unknown {
  try {
    return JSON.parse(word);
  } catch {
    throw usage(`Cannot read ${what} ${JSON.stringify(word)} as JSON: a text needs quotes, '"like this"'`);
  }
}

/** One envelope a line from stdin, in batches; a line that is wrong is named and does not stop the others. */
async function publishLines({ client: open, io, flags, rest }: Context): Promise<number> {
  const odd = rest[1] ??
    Object.keys(flags).filter((name) => !(name in DATABASE_FLAGS)).map((name) => `--${name}`)[0];
  // A flag for all lines would be lost.
  if (odd !== undefined) throw usage(`Cannot use ${odd} together with -: each line has its own fields`);
  const client = await open();
  let batch: { call: BatchCall; line: number }[] = [];
  let wrong = 0;
  const refuse = (line: number, error: unknown) => {
    wrong++;
    io.err(`Line ${line}: ${errorLine(error)}`);
  };
  const send = async () => {
    const calls = batch;
    batch = [];
    for (const { uuid, known, line, error } of await publishBatch(client, calls, io.err)) {
      if (error) refuse(line, error);
      else io.out(uuid!);
      if (known) io.err(`Already known: ${uuid} (nothing was published)`);
    }
  };
  let line = 0;
  for await (const text of readLines(io.stdin)) {
    line++;
    if (text.trim() === "") continue;
    try {
      batch.push({ call: readCall(text), line });
    } catch (error) {
      refuse(line, error);
    }
    if (batch.length >= BATCH) await send();
  }
  if (batch.length > 0) await send();
  return wrong === 0 ? EXIT.ok : EXIT.failed;
}

interface Sent {
  line: number;
  uuid?: string;
  known?: boolean;
  error?: unknown;
}

/** Send a batch, again and again while the database is away: the uuids make sure that nothing is doubled. */
async function publishBatch(
  client: Client,
  calls: { call: BatchCall; line: number }[],
  err: (text: string) => void,
): Promise<Sent[]> {
  for (let attempt = 1;; attempt++) {
    try {
      const done = await client.publishMany(calls.map(({ call }) => call));
      // After a broken attempt, "known" may mean that this very batch was written.
      return done.map(({ uuid, known }, i) => ({ line: calls[i].line, uuid, known: known && attempt === 1 }));
    } catch (error) {
      if (error instanceof DispatcherError && error.exit === EXIT.usage) return await oneByOne(client, calls);
      if (attempt >= RETRIES) {
        throw new DispatcherError("unavailable", `Database does not answer: ${errorLine(error)}`);
      }
      if (attempt === 1) err(`Database does not answer, trying again: ${errorLine(error)}`);
      await new Promise((resolve) => setTimeout(resolve, RETRY_MS));
    }
  }
}

async function oneByOne(client: Client, calls: { call: BatchCall; line: number }[]): Promise<Sent[]> {
  const sent: Sent[] = [];
  for (const { call, line } of calls) {
    try {
      const [{ uuid, known }] = await client.publishMany([call]);
      sent.push({ line, uuid, known });
    } catch (error) {
      sent.push({ line, error });
    }
  }
  return sent;
}

function readCall(text: string): BatchCall {
  const value = parseJson(text, "line") as Record<string, unknown>;
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    throw usage("Cannot read line: it is not an object");
  }
  const { time_pub: _, on_duplicate: mode, max_attempts, uuid = uuid7(), ...call } = value;
  return {
    ...call,
    uuid,
    ...(mode === undefined ? {} : { onDuplicate: mode }),
    ...(max_attempts === undefined ? {} : { maxAttempts: max_attempts }),
  } as unknown as BatchCall;
}
