import { choicesOf, type Commands, completed, filesOf, type Word } from "./words.ts";

/** In single quotes; a colon parts a word from its help. */
const item = ({ word, help }: Word) => `'${`${word}:${help}`.replaceAll("'", `'\\''`)}'`;
const items = (list: Word[]) => list.map(item).join(" ");

/** A script for zsh: `source <(dispatcherctl completions zsh)`, or a file named _dispatcherctl in its fpath. */
export function zshScript(commands: Commands, name: string): string {
  const { first, groups, all } = completed(commands);
  const fn = `_${name.replace(/\W/g, "_")}`;
  const choices = [...choicesOf(all)].map(([flag, some]) =>
    `    ${flag}) compadd -- ${some.join(" ")}; return ;;`
  );
  const members = [...groups].map(([group, list]) => `      '${group}') list=(${items(list)}) ;;`);
  const flags = all.map(({ word, flags }) => `    '${word}') list=(${items(flags)}) ;;`);
  return `#compdef ${name}
# Completions of ${name} for zsh: source <(${name} completions zsh)
${fn}() {
  local -a list plain
  local cur="\${words[CURRENT]}" prev="\${words[CURRENT-1]}"
  plain=(\${\${words[2,CURRENT-1]}:#-*})
  case "$prev" in
${choices.join("\n")}
    ${filesOf(all).join("|")}) _files; return ;;
  esac
  if (( \${#plain} == 0 )); then
    list=(${items(first)})
    _describe -t commands command list
    return
  fi
  if [[ "$cur" != -* ]]; then
    case "\${(j: :)plain}" in
${members.join("\n")}
    esac
    if (( \${#list} > 0 )); then _describe -t commands command list; return; fi
  fi
  # The most words that are a command's; what stands behind it are its own.
  while (( \${#plain} > 0 && \${#list} == 0 )); do
    case "\${(j: :)plain}" in
${flags.map((line) => `  ${line}`).join("\n")}
    esac
    plain=(\${plain[1,-2]})
  done
  _describe -t flags flag list
}
# Sourced, it registers itself; from fpath, zsh calls the file.
if [[ "$funcstack[1]" = "${fn}" ]]; then ${fn}; elif (( $+functions[compdef] )); then compdef ${fn} ${name}; fi`;
}
