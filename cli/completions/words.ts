/**
 * What can be completed, made from the commands themselves.
 *
 * @module
 */
import type { Flag } from "../args.ts";
import type { Command } from "../command.ts";

export type Commands = Readonly<Record<string, Command>>;

/** A word and what it is. */
export interface Word {
  word: string;
  help: string;
}

/** A command and its flags. */
export interface Completed extends Word {
  flags: (Word & Pick<Flag, "value" | "choices">)[];
}

/** All commands by name, and the first words of groups. */
export function completed(
  commands: Commands,
): { first: Word[]; groups: Map<string, Word[]>; all: Completed[] } {
  const groups = new Map<string, Word[]>();
  const first = new Map<string, string>();
  const all: Completed[] = [];
  for (const [word, { summary, flags }] of Object.entries(commands)) {
    const [head, tail] = word.split(" ");
    if (tail === undefined) first.set(head, summary);
    else {
      groups.set(head, [...groups.get(head) ?? [], { word: tail, help: summary }]);
      if (!first.has(head)) first.set(head, `Commands of ${head}`);
    }
    all.push({ word, help: summary, flags: flagsOf(flags) });
  }
  return { first: [...first].map(([word, help]) => ({ word, help })), groups, all };
}

function flagsOf(flags: Command["flags"]): Completed["flags"] {
  const own = Object.entries(flags).map(([name, { help, value, choices }]) => ({
    word: `--${name}`,
    help,
    value,
    choices,
  }));
  return [...own, { word: "--help", help: "Show this", value: undefined, choices: undefined }];
}

/** The flags whose values are known, by flag: the same on every command. */
export function choicesOf(all: Completed[]): Map<string, readonly string[]> {
  const known = all.flatMap(({ flags }) => flags).filter((flag) => flag.choices !== undefined);
  return new Map(known.map(({ word, choices }) => [word, choices!]));
}

/** The flags that take files. */
export function filesOf(all: Completed[]): string[] {
  const taken = all.flatMap(({ flags }) => flags).filter(({ value }) => value === "FILE" || value === "DIR");
  return [...new Set(taken.map(({ word }) => word))];
}

/** The flags that take some other value. */
export function valuedOf(all: Completed[]): string[] {
  const taken = all.flatMap(({ flags }) => flags).filter(({ value }) => value !== undefined);
  const known = new Set([...filesOf(all), ...choicesOf(all).keys()]);
  return [...new Set(taken.map(({ word }) => word))].filter((word) => !known.has(word));
}
