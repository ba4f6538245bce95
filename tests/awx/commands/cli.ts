/**
 * The commands of the control plane as a user runs them, in this process: on a terminal or in a pipe, over a database with
 * the control plane's tables.
 *
 * @module
 */
import { type ArgsParser, nodeParser, readArgs } from "../../../cli/args.ts";
import type { IO } from "../../../cli/io.ts";
import { DispatcherError } from "../../../runtime/errors.ts";
import { commands } from "../../../tasks/commands/index.ts";
import { fakeIO } from "../../cli/fake_io.ts";
import { type AwxDatabase, awxDatabase } from "../database.ts";

export interface Said {
  code: number;
  out: string[];
  err: string[];
}

export interface Cli extends AwxDatabase {
  /** Run `awx …`: words, or a line that is split at its blanks. */
  awx(
    words: string | string[],
    more?: Partial<Pick<IO, "tty" | "columns">> & { stdin?: string },
  ): Promise<Said>;
  /** Run it and give what it prints; it must end well. */
  ok(words: string | string[], stdin?: string): Promise<string[]>;
}

/** Make one; its database is dropped after the test. */
export async function cli(
  t: Parameters<typeof awxDatabase>[0],
  parser: ArgsParser = nodeParser,
): Promise<Cli> {
  return cliOf(await awxDatabase(t), parser);
}

/** The command line over a database that there is. */
export function cliOf(site: AwxDatabase, parser: ArgsParser = nodeParser): Cli {
  const awx: Cli["awx"] = async (line, { stdin = "", ...more } = {}) => {
    const words = ["awx", ...typeof line === "string" ? line.split(" ") : line];
    const io = { ...fakeIO(more), stdin: bytes(stdin) };
    try {
      const name = [3, 2].map((n) => words.slice(0, n).join(" ")).find((name) =>
        Object.hasOwn(commands, name)
      );
      const command = commands[name!];
      const code = await command.run({
        ...readArgs(words.slice(name!.split(" ").length), command.flags, parser),
        io,
        config: () => Promise.reject(new Error("it needs no configuration")),
        client: () => Promise.resolve(site.client),
      });
      return { code: code ?? 0, out: io.outLines, err: io.errLines };
    } catch (error) {
      if (!(error instanceof DispatcherError)) throw error;
      return { code: error.exit, out: io.outLines, err: [...io.errLines, error.message] };
    }
  };
  return {
    ...site,
    awx,
    async ok(words, stdin) {
      const { code, out, err } = await awx(words, { stdin });
      if (code !== 0) throw new Error(`exit ${code}: ${err.join("\n")}`);
      return out;
    },
  };
}

async function* bytes(text: string): AsyncGenerator<Uint8Array> {
  yield new TextEncoder().encode(text);
}
