/**
 * What makes a manager one in the cluster, and bounds its run.
 *
 * @module
 */
import type { Db } from "../jobs/model/rows.ts";

/** Of the time that a manager has, it plans for so much; the rest is for writing. */
const PLANNING = 0.9;

/**
 * Be the only one of this name until the transaction ends; false when another is. Waits for nobody. Without the
 * compiler for statements: it takes 100 ms where a run takes 100, since tables that were never analyzed look large.
 */
export async function alone(tx: Db, name: string): Promise<boolean> {
  const text = `select pg_try_advisory_xact_lock(hashtext('awx'), hashtext($1::text)) as got,
    set_config('jit', 'off', true)`;
  const [{ got }] = await tx.unsafe(text, [name] as never[]);
  return got === true;
}

/** Tells whether the time is over, after the setting's seconds. */
export function deadline(seconds: number, now: () => number = () => performance.now()): () => boolean {
  const until = now() + seconds * PLANNING * 1_000;
  return () => now() >= until;
}
