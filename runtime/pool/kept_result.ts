/**
 * The text of a result that cannot just be written down: what JSON cannot say, what may be too large, and what is to be
 * encrypted. Loaded by the first of them.
 *
 * @module
 */
import { encodeJson } from "../json.ts";
import { ResultError } from "../task.ts";
import type { Job, WorkerEnv } from "./protocol.ts";

/**
 * A result as it is stored.
 *
 * @param written Its JSON text, if JSON.stringify() could write it.
 * @throws {ResultError} telling where the fault is, or that it is too large.
 */
export async function kept(
  value: unknown,
  written: string | undefined,
  job: Job,
  { maxResultBytes, encrypts }: Pick<WorkerEnv, "maxResultBytes" | "encrypts">,
): Promise<string> {
  const text = written ?? explained(value, job.task);
  checkSize(text, job.task, maxResultBytes);
  return encrypts
    ? await (await import("./content.ts" as string) as typeof import("./content.ts")).encrypted(text, job)
    : text;
}

function explained(value: unknown, task: string): string {
  try {
    return encodeJson(value, "result");
  } catch (error) {
    throw new ResultError(`Cannot keep the result of "${task}": ${(error as Error).message}`);
  }
}

function checkSize(text: string, task: string, most = Infinity): void {
  const bytes = text.length * 3 <= most ? 0 : new TextEncoder().encode(text).length;
  if (bytes <= most) return;
  const fault = `it has ${bytes} bytes, at most ${most} are allowed (max_result_bytes)`;
  throw new ResultError(`Cannot keep the result of "${task}": ${fault}`);
}
