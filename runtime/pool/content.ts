/**
 * What a worker does to the content of envelopes: opens arguments that were encrypted, encrypts results, and packs what
 * is published in a transaction. Loaded by the first job that needs it; its settings stand in the environment, for the
 * clients of tasks as well.
 *
 * @module
 */
import process from "node:process";
import { keysOf, type Owner, UnknownKeyError } from "../cipher.ts";
import { MAX_BYTES, Packing } from "../packing.ts";
import { ArgumentsError } from "../task.ts";
import type { Job } from "./protocol.ts";

const { DISPATCHER_ENCRYPTION_KEYS: keys, DISPATCHER_MAX_ARGS_BYTES: most } = process.env;

/** How this worker's node packs. */
export const packing: Packing = new Packing({ keys: keysOf(keys), maxArgsBytes: Number(most ?? MAX_BYTES) });

/** The text of a result, encrypted. */
export async function encrypted(text: string, job: Job): Promise<string> {
  return await packing.cipher.sealResult(text, ownerOf(job));
}

/**
 * The arguments of a job, of which something is odd: encrypted, or none at all. `keyless` is called before the error when
 * the key is not here.
 */
export async function opened(job: Job, keyless: () => void): Promise<Pick<Job, "args" | "kwargs">> {
  if (!Array.isArray(job.args)) throw noArguments(job.task, job.args);
  try {
    return await packing.cipher.openCall(job, ownerOf(job));
  } catch (error) {
    if (error instanceof UnknownKeyError) keyless();
    throw error;
  }
}

function ownerOf({ uuid, origin, task }: Job): Owner {
  return { uuid: origin ?? uuid, task };
}

/** What SQL by hand has put there, or a reference to long arguments that are gone (0018_content.sql). */
function noArguments(task: string, args: unknown): ArgumentsError {
  const { content, day } = (args ?? {}) as Record<string, unknown>;
  const what = typeof content === "string" && typeof day === "number"
    ? `gone: ${JSON.stringify({ content, day })} refers to nothing`
    : `${args === null ? "null" : `of type ${typeof args}`}, not an array`;
  return new ArgumentsError(`Arguments of "${task}" are ${what}`);
}
