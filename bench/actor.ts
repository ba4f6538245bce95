/**
 * The other side of an `Actor`: a process that does what lines of JSON on its stdin say, answers with a line each, and
 * ends with its stdin, however the one who asks ended.
 *
 * @module
 */
import process from "node:process";
import { createInterface } from "node:readline";

/** Make what is asked for out of the settings that `Site.actor()` was given, and answer with its methods. */
// deno-lint-ignore no-explicit-any
export async function act(make: (settings: any) => object | Promise<object>): Promise<never> {
  // The one who asks decides; a signal to the group is for him.
  process.on("SIGINT", () => {});
  const methods = await make(JSON.parse(process.argv[2])) as Record<string, (...args: unknown[]) => unknown>;
  for await (const line of createInterface({ input: process.stdin })) void answer(JSON.parse(line));
  process.exit(0);

  async function answer(
    { id, method, args }: { id: number; method: string; args: unknown[] },
  ): Promise<void> {
    let reply: { result: unknown } | { error: string };
    try {
      reply = { result: await methods[method](...args) };
    } catch (error) {
      reply = { error: String((error as Error)?.stack ?? error) };
    }
    process.stdout.write(JSON.stringify({ id, ...reply }) + "\n");
  }
}
