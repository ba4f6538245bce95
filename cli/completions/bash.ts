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
  local cur="\${COMP_WORDS[COMP_CWORD]}" prev="\${COMP_WORDS[COMP_CWORD-1]}" first="" second="" words="" i
  COMPREPLY=()
  for ((i = 1; i < COMP_CWORD; i++)); do
    case "\${COMP_WORDS[i]}" in
      -*) ;;
      *) if [ -z "$first" ]; then first="\${COMP_WORDS[i]}"; elif [ -z "$second" ]; then second="\${COMP_WORDS[i]}"; fi ;;
    esac
  done
  case "$prev" in
${choices.join("\n")}
    ${filesOf(all).join("|")}) COMPREPLY=($(compgen -f -- "$cur")); return ;;
    ${valuedOf(all).join("|")}) return ;;
  esac
  if [ -z "$first" ]; then
    COMPREPLY=($(compgen -W "${words(first)} --help --version" -- "$cur"))
    return
  fi
  if [[ "$cur" != -* && -z "$second" ]]; then
    case "$first" in
${members.join("\n").replaceAll(/^ {4}/gm, "      ")}
    esac
    if [ -n "$words" ]; then COMPREPLY=($(compgen -W "$words" -- "$cur")); return; fi
  fi
  case "$first $second" in
${flags.filter((line) => /^ {4}"[^" ]+ [^"]+"/.test(line)).join("\n")}
    *) case "$first" in
${flags.filter((line) => !/^ {4}"[^" ]+ [^"]+"/.test(line)).join("\n").replaceAll(/^ {4}/gm, "      ")}
    esac ;;
  esac
  COMPREPLY=($(compgen -W "$words" -- "$cur"))
}
complete -o default -F ${fn} ${name}`;
}
