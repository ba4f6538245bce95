import { type Commands, completed } from "./words.ts";

const quoted = (text: string) => `'${text.replaceAll("\\", "\\\\").replaceAll("'", "\\'")}'`;

/** A script for fish: `dispatcherctl completions fish | source`. */
export function fishScript(commands: Commands, name: string): string {
  const { first, groups, all } = completed(commands);
  const add = (...parts: string[]) => `complete -c ${name} ${parts.join(" ")}`;
  const fn = `__${name.replace(/\W/g, "_")}`;
  const lines = [
    `# Completions of ${name} for fish: ${name} completions fish | source`,
    ...words(`${fn}_at`, "-eq", "Whether these words stand there, and no others"),
    ...words(`${fn}_in`, "-ge", "Whether these words stand there first"),
    add("-f"),
    ...first.map(({ word, help }) => add("-n", "__fish_use_subcommand", "-a", word, "-d", quoted(help))),
  ];
  for (const [group, list] of groups) {
    const when = quoted(`${fn}_at ${group}`);
    for (const { word, help } of list) lines.push(add("-n", when, "-a", word, "-d", quoted(help)));
  }
  for (const { word, flags } of all) {
    const when = quoted(`${fn}_in ${word}`);
    for (const { word, help, value, choices } of flags) {
      const takes = choices
        ? ["-x", "-a", quoted(choices.join(" "))]
        : value === undefined
        ? []
        : value === "FILE" || value === "DIR"
        ? ["-r", "-F"]
        : ["-x"];
      lines.push(add("-n", when, "-l", word.slice(2), ...takes, "-d", quoted(help)));
    }
  }
  return lines.join("\n");
}

/** A function of fish's that looks at the words before the one that is being written. */
function words(fn: string, compare: "-eq" | "-ge", what: string): string[] {
  return [
    `function ${fn} -d ${quoted(what)}`,
    "  set -l words (commandline -opc | string match -v -- '-*')",
    "  set -l last (math (count $argv) + 1)",
    `  test (count $words) ${compare} $last; and test "$words[2..$last]" = "$argv"`,
    "end",
  ];
}
