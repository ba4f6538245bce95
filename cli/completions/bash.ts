import { choicesOf, type Commands, completed, filesOf, valuedOf, type Word } from "./words.ts";

const words = (list: Word[]) => list.map(({ word }) => word).join(" ");

/** A script for bash: `source <(dispatcherctl completions bash)`. */
export function bashScript(commands: Commands, name: string): string {
  const { first, groups, all } = completed(commands);
  const fn = `_${name.replace(/\W/g, "_")}`;
  const choices = [...choicesOf(all)].map(([flag, some]) =>
    `    ${flag}) COMPREPLY=($(compgen -W "${some.join(" ")}" -- "$cur")); return ;;`
  );
  const flags = all.map(({ word, flags }) => `    "${word}") words="${words(flags)}" ;;`);
  const members = [...groups].map(([group, list]) => `    "${group}") words="${words(list)}" ;;`);
  return `# Completions of ${name} for bash: source <(${name} completions bash)
${fn}() {
  local cur="\${COMP_WORDS[COMP_CWORD]}" prev="\${COMP_WORDS[COMP_CWORD-1]}" plain="" words="" i
  COMPREPLY=()
  for ((i = 1; i < COMP_CWORD; i++)); do
    case "\${COMP_WORDS[i]}" in
      -*) ;;
      *) plain="$plain\${plain:+ }\${COMP_WORDS[i]}" ;;
    esac
  done
  case "$prev" in
${choices.join("\n")}
    ${filesOf(all).join("|")}) COMPREPLY=($(compgen -f -- "$cur")); return ;;
    ${valuedOf(all).join("|")}) return ;;
  esac
  if [ -z "$plain" ]; then
    COMPREPLY=($(compgen -W "${words(first)} --help --version" -- "$cur"))
    return
  fi
  if [[ "$cur" != -* ]]; then
    case "$plain" in
${members.join("\n").replaceAll(/^ {4}/gm, "      ")}
    esac
    if [ -n "$words" ]; then COMPREPLY=($(compgen -W "$words" -- "$cur")); return; fi
  fi
  # The most words that are a command's; what stands behind it are its own.
  while [ -n "$plain" ]; do
    case "$plain" in
${flags.join("\n").replaceAll(/^ {4}/gm, "      ")}
    esac
    if [ -n "$words" ] || [[ "$plain" != *" "* ]]; then break; fi
    plain="\${plain% *}"
  done
  COMPREPLY=($(compgen -W "$words" -- "$cur"))
}
complete -o default -F ${fn} ${name}`;
}
