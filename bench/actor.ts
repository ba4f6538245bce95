/**
 * A process that acts for a peer: `node bench/actor.ts PEER URL`. It does what lines of JSON on its stdin say and
 * answers with a line each, until its stdin ends.
 *
 * @module
 */
import process from "node:process";
import { createInterface } from "node:readline";
import type { OpenPeer } from "./peers/peer.ts";
import { Publisher } from "./publisher.ts";

const [name, url] = process.argv.slice(2);
const { open }: { open: OpenPeer } = await import(`./peers/${name}.ts`);
const publisher = new Publisher(await open(url));
const methods = publisher as unknown as Record<string, (...args: unknown[]) => unknown>;

for await (const line of createInterface({ input: process.stdin })) void answer(JSON.parse(line));
process.exit(0);

async function answer({ id, method, args }: { id: number; method: string; args: unknown[] }): Promise<void> {
  let reply: { result: unknown } | { error: string };
  try {
    reply = { result: await methods[method](...args) };
  } catch (error) {
    reply = { error: String((error as Error)?.stack ?? error) };
  }
  process.stdout.write(JSON.stringify({ id, ...reply }) + "\n");
}
