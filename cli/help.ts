/**
 * The help texts, made from the commands themselves.
 *
 * @module
 */
import type { Command } from "./command.ts";

type Commands = Readonly<Record<string, Command>>;

/** All commands, a line each; those of an extension by their first words, since they may be many. */
export function mainHelp(commands: Commands, extension: Commands = {}, summary?: string): string {
  const words = [...new Set(Object.keys(extension).map((name) => name.split(" ")[0]))];
  return [
    "edge-dispatcher: tasks over PostgreSQL, on Deno, Bun and Node",
    "",
    "Usage: cli COMMAND [ARGS…] [--flags]     cli COMMAND --help",
    "",
    ...list([
      ...Object.entries(commands).map(([name, command]) => [name, command.summary]),
      ...words.map((
        word,
      ) => [`${word} …`, `${summary ?? "Commands of an extension"}; see cli ${word} --help`]),
    ]),
    "",
    "Exits: 0 ok, 1 failed, 2 usage, 3 not found, 4 refused, 5 partial, 69 unavailable, 78 bad configuration, 130 forced",
  ].join("\n");
}

/** The commands that share their first words; a line for those that share one more. */
export function groupHelp(group: string, commands: Commands): string {
  const members = Object.entries(commands).filter(([name]) => name === group || name.startsWith(`${group} `));
  const depth = group.split(" ").length;
  const inner = new Map<string, string[]>();
  for (const [name] of members) {
    const words = name.split(" ");
    const head = words.slice(0, depth + 1).join(" ");
    inner.set(head, [...inner.get(head) ?? [], words.slice(depth + 1).join(" ")]);
  }
  const lines = [...inner].map(([head, verbs]) =>
    commands[head] ? [head, commands[head].summary] : [`${head} …`, verbs.join(", ")]
  );
  return [`Usage: cli ${group} COMMAND`, "", ...list(lines)].join("\n");
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
