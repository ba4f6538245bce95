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

/** All commands by name, the first words, and what may follow on the words of each group. */
export function completed(
  commands: Commands,
): { first: Word[]; groups: Map<string, Word[]>; all: Completed[] } {
  const groups = new Map<string, Word[]>();
  const first = new Map<string, string>();
  const all: Completed[] = [];
  for (const [name, { summary, flags }] of Object.entries(commands)) {
    const words = name.split(" ");
    for (const [i, word] of words.entries()) {
      const group = words.slice(0, i).join(" ");
      const own = i === words.length - 1;
      const help = own ? summary : `Commands of ${words.slice(0, i + 1).join(" ")}`;
      if (i > 0) add(groups, group, { word, help });
      else if (own || !first.has(word)) first.set(word, help);
    }
    all.push({ word: name, help: summary, flags: flagsOf(flags) });
  }
  return { first: [...first].map(([word, help]) => ({ word, help })), groups, all };
}

function add(groups: Map<string, Word[]>, group: string, member: Word): void {
  const members = groups.get(group) ?? [];
  if (!members.some(({ word }) => word === member.word)) groups.set(group, [...members, member]);
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

/** The flags whose values are known, by flag: those of every command that has it. */
export function choicesOf(all: Completed[]): Map<string, readonly string[]> {
  const known = new Map<string, readonly string[]>();
  for (const { word, choices } of all.flatMap(({ flags }) => flags)) {
    if (choices) known.set(word, [...new Set([...known.get(word) ?? [], ...choices])]);
  }
  return known;
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
