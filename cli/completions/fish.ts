import { type Commands, completed } from "./words.ts";

const quoted = (text: string) => `'${text.replaceAll("\\", "\\\\").replaceAll("'", "\\'")}'`;

/** A script for fish: `dispatcherctl completions fish | source`. */
export function fishScript(commands: Commands, name: string): string {
  const { first, groups, all } = completed(commands);
  const add = (...parts: string[]) => `complete -c ${name} ${parts.join(" ")}`;
  const lines = [
    `# Completions of ${name} for fish: ${name} completions fish | source`,
    add("-f"),
    ...first.map(({ word, help }) => add("-n", "__fish_use_subcommand", "-a", word, "-d", quoted(help))),
  ];
  for (const [group, list] of groups) {
    const members = list.map(({ word }) => word).join(" ");
    const when = quoted(
      `__fish_seen_subcommand_from ${group}; and not __fish_seen_subcommand_from ${members}`,
    );
    for (const { word, help } of list) lines.push(add("-n", when, "-a", word, "-d", quoted(help)));
  }
  for (const { word, flags } of all) {
    const [head, tail] = word.split(" ");
    const when = quoted(
      tail === undefined
        ? `__fish_seen_subcommand_from ${head}`
        : `__fish_seen_subcommand_from ${head}; and __fish_seen_subcommand_from ${tail}`,
    );
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
