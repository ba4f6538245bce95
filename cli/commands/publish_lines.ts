/**
 * `publish -`: envelopes from stdin.
 *
 * | what can fail | what happens |
 * |---|---|
 * | a line is no envelope | it is named by its number, the others are published, exit 1 |
 * | the database restarts | the batch is sent again, with the same uuids, for two minutes |
 *
 * @module
 */
import type { BatchCall, Client } from "../../runtime/client.ts";
import { DispatcherError, errorLine, EXIT } from "../../runtime/errors.ts";
import { uuid7 } from "../../runtime/uuid.ts";
import { parseJson, usage } from "../args.ts";
import { type Context, DATABASE_FLAGS } from "../command.ts";
import type { IO } from "../io.ts";
import { readLines } from "../lines.ts";
import { Progress } from "../progress.ts";

const BATCH = 1_000;
const RETRY_MS = 500;
const RETRIES = 240;

interface Line {
  number: number;
  call: BatchCall;
}
interface Sent {
  uuid: string;
  known: boolean;
  duplicateOf: string | null;
}

/** Say what became of a call: its uuid as the result, the rest beside it. */
export function tell(io: IO, { uuid, known, duplicateOf }: Sent): void {
  io.out(uuid);
  if (known) io.err(`Already known: ${uuid} (nothing was published)`);
  if (duplicateOf) io.err(`Duplicate of ${duplicateOf} (nothing was published)`);
}

/** One envelope a line from stdin, in batches; a line that is wrong is named and does not stop the others. */
export async function publishLines({ client: open, io, flags, rest }: Context): Promise<number> {
  const odd = rest[1] ??
    Object.keys(flags).filter((name) => !(name in DATABASE_FLAGS)).map((name) => `--${name}`)[0];
  // A flag for all lines would be lost.
  if (odd !== undefined) throw usage(`Cannot use ${odd} together with -: each line has its own fields`);
  const client = await open();
  const progress = new Progress(io, "Published");
  let batch: Line[] = [];
  let wrong = 0;
  const refuse = (number: number, error: unknown) => {
    wrong++;
    io.err(`Line ${number}: ${errorLine(error)}`);
  };
  const send = async () => {
    const lines = batch;
    batch = [];
    for (const { number, sent, error } of await publishBatch(client, lines, io.err)) {
      if (sent) {
        progress.end();
        tell(io, sent);
      } else refuse(number, error);
    }
    progress.advance(lines.length);
  };
  let number = 0;
  for await (const text of readLines(io.stdin)) {
    number++;
    if (text.trim() === "") continue;
    try {
      batch.push({ call: readCall(text), number });
    } catch (error) {
      refuse(number, error);
    }
    if (batch.length >= BATCH) await send();
  }
  if (batch.length > 0) await send();
  progress.end();
  return wrong === 0 ? EXIT.ok : EXIT.failed;
}

/** Send a batch; when a line of it is refused, all of them one by one. */
async function publishBatch(
  client: Client,
  lines: Line[],
  err: IO["err"],
): Promise<{ number: number; sent?: Sent; error?: unknown }[]> {
  try {
    const sent = await patiently(client, lines, err);
    return sent.map((sent, i) => ({ number: lines[i].number, sent }));
  } catch (error) {
    if (!isRefusal(error)) throw error;
    if (lines.length === 1) return [{ number: lines[0].number, error }];
  }
  const each = [];
  for (const line of lines) each.push(...await publishBatch(client, [line], err));
  return each;
}

/** Try again and again while the database is away: the uuids make sure that nothing is doubled. */
async function patiently(client: Client, lines: Line[], err: IO["err"]): Promise<Sent[]> {
  for (let attempt = 1;; attempt++) {
    try {
      const sent = await client.publishMany(lines.map(({ call }) => call));
      // After a broken attempt, "known" may mean that this very batch was written.
      return sent.map((one) => ({ ...one, known: one.known && attempt === 1 }));
    } catch (error) {
      if (isRefusal(error)) throw error;
      if (attempt >= RETRIES) {
        throw new DispatcherError("unavailable", `Database does not answer: ${errorLine(error)}`);
      }
      if (attempt === 1) err(`Database does not answer, trying again: ${errorLine(error)}`);
      await new Promise((resolve) => setTimeout(resolve, RETRY_MS));
    }
  }
}

function isRefusal(error: unknown): boolean {
  return error instanceof DispatcherError && error.exit === EXIT.usage;
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
