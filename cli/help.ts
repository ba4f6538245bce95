/**
 * The help texts, made from the commands themselves.
 *
 * @module
 */
import type { Command } from "./command.ts";

type Commands = Readonly<Record<string, Command>>;

/** All commands, a line each. */
export function mainHelp(commands: Commands): string {
  return [
    "edge-dispatcher: tasks over PostgreSQL, on Deno, Bun and Node",
    "",
    "Usage: cli COMMAND [ARGS…] [--flags]     cli COMMAND --help",
    "",
    ...list(Object.entries(commands).map(([name, command]) => [name, command.summary])),
    "",
    "Exits: 0 ok, 1 failed, 2 usage, 3 not found, 4 refused, 5 partial, 69 unavailable, 78 bad configuration, 130 forced",
  ].join("\n");
}

/** The commands that share a first word. */
export function groupHelp(group: string, commands: Commands): string {
  const members = Object.entries(commands).filter(([name]) => name === group || name.startsWith(`${group} `));
  return [`Usage: cli ${group} COMMAND`, "", ...list(members.map(([name, c]) => [name, c.summary]))].join(
    "\n",
  );
}

/** One command and its flags. */
export function commandHelp(name: string, { summary, usage, flags }: Command): string {
  const rows = Object.entries(flags).map(([flag, { value, help, short }]) => [
    `--${flag}${value ? ` ${value}` : ""}${short ? ` (-${short})` : ""}`,
    help,
  ]);
  return [`Usage: cli ${name}${usage ? ` ${usage}` : ""}`, "", summary, "", ...list(rows)].join("\n")
    .trimEnd();
}

function list(rows: string[][]): string[] {
  const width = Math.max(0, ...rows.map(([left]) => left.length));
  return rows.map(([left, right]) => `  ${left.padEnd(width)}  ${right}`);
}
