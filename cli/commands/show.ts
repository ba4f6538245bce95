import type { Client } from "../../runtime/client.ts";
import type { ErrorRecord } from "../../runtime/errors.ts";
import { callText, redact } from "../../runtime/redact.ts";
import { resourcesText } from "../../runtime/resources.ts";
import { demandIn } from "../../runtime/why_resources.ts";
import { usage } from "../args.ts";
import { type Command, DATABASE_FLAGS, JSON_FLAG } from "../command.ts";
import type { IO } from "../io.ts";
import { shownRow } from "../rows.ts";
import { oneLine } from "../table.ts";

type Row = Awaited<ReturnType<Client["list"]>>[number];

/** All that is known of an envelope; of a broadcast, each node's copy. */
export const show: Command = {
  summary: "Show all that is known of an envelope",
  usage: "UUID-OR-PREFIX",
  words: true,
  flags: { ...JSON_FLAG, ...DATABASE_FLAGS },
  async run({ client, rest, flags, io }) {
    if (rest.length !== 1) throw usage("Cannot show: name one uuid, or the beginning of one");
    const rows = await (await client()).find(rest[0], "show", { log: true });
    for (const row of rows) {
      if (flags.json) io.out(JSON.stringify(shownRow(row)));
      else writeRow(io, row);
    }
  },
};

function writeRow(io: IO, row: Row): void {
  const line = (name: string, value: string | null | undefined) =>
    value != null && io.out(`  ${name.padEnd(11)} ${oneLine(value)}`);
  io.out(`${row.uuid} ${row.state}`);
  line("broadcast", row.origin);
  line("task", callText(row.task, row.args));
  line("queue", row.queue);
  line("priority", `${row.priority}`);
  line("resources", resourcesText(demandIn(row.options)) || null);
  line("preemptible", row.options.preemptible === true ? "yes" : null);
  line("attempts", `${row.attempt}${row.max_attempts === null ? "" : ` of ${row.max_attempts}`}`);
  line("timeout", row.timeout === null ? null : `${row.timeout} s`);
  line("published", row.created_at);
  line("due", row.due_at);
  line("claimed", row.claimed_at && `${row.claimed_at} by ${row.node}`);
  line("cancel", row.cancel_at && `asked for at ${row.cancel_at}`);
  line("finished", row.finished_at);
  if (row.progress !== null) line("progress", JSON.stringify(redact(row.progress)));
  if (row.state === "completed") line("result", JSON.stringify(redact(row.result)));
  if (row.state === "discarded" && row.attempts.length === 0 && row.error) writeError(io, row.error, "  ");
  for (const attempt of row.attempts) {
    const { outcome, node, worker, started_at, finished_at, error } = attempt;
    const place = worker === null ? node : `${node} worker ${worker}`;
    line(
      `attempt ${attempt.attempt}`,
      `${outcome} on ${place}, ${started_at ?? "not started"} to ${finished_at}`,
    );
    if (error) writeError(io, error, "    ");
  }
}

function writeError(io: IO, error: ErrorRecord, indent: string): void {
  const head = `${error.name}: ${error.message}`;
  io.out(`${indent}${head}`);
  // The stack of most engines begins with the message once more.
  const stack = (error.stack ?? "").split("\n").filter((text) =>
    text.trim() !== "" && !head.includes(text.trim())
  );
  for (const text of stack) io.out(`${indent}${text.startsWith(" ") ? text : `    at ${text}`}`);
  if (error.cause) {
    io.out(`${indent}caused by`);
    writeError(io, error.cause, `${indent}  `);
  }
}
