import { usage } from "../args.ts";
import type { Command } from "../command.ts";
import { extensionFound } from "../extension.ts";
import { bashScript } from "../completions/bash.ts";
import { fishScript } from "../completions/fish.ts";
import type { Commands } from "../completions/words.ts";
import { zshScript } from "../completions/zsh.ts";

const NAME = /^[A-Za-z][\w.-]*$/;

function completions(
  shell: string,
  script: (commands: Commands, name: string) => string,
  how: string,
): Command {
  return {
    summary: `Print completions for ${shell}: ${how}`,
    usage: "[--name NAME]",
    flags: {
      name: {
        type: "string",
        value: "NAME",
        help: "What the command is called here, by default dispatcherctl",
      },
    },
    async run({ flags, io }) {
      const name = (flags.name as string | undefined) ?? "dispatcherctl";
      if (!NAME.test(name)) throw usage(`Cannot complete "${name}": it is no name of a command`);
      // Here, since the table has this command in it.
      const { COMMANDS }: typeof import("./index.ts") = await import("./index.ts" as string);
      const more = (await extensionFound(true))?.commands;
      io.out(script({ ...await more?.() as Commands | undefined, ...COMMANDS }, name));
    },
  };
}

export const completionsBash: Command = completions("bash", bashScript, "source <(… completions bash)");
export const completionsZsh: Command = completions("zsh", zshScript, "source <(… completions zsh)");
export const completionsFish: Command = completions("fish", fishScript, "… completions fish | source");
