/**
 * What a failed statement says: that the database is away, or that it will never take it.
 *
 * @module
 */

/** Of the server but for data, constraints and statements, which fail tomorrow as well; of the client; of sockets. */
const AWAY = /^((?!22|23|42|0A)[0-9A-Z]{5}|unavailable|CONNECT\w+|E[A-Z]{4,})$/;

/** Whether an error of the database's client says that trying again may help. */
export function isOutage(error: unknown): boolean {
  const { code } = error as { code?: unknown };
  return typeof code === "string" && AWAY.test(code);
}

/**
 * Try until the database answers.
 *
 * @param signal Ends the patience; what failed last is thrown then.
 */
export async function patiently<R>(work: () => Promise<R>, signal?: AbortSignal): Promise<R> {
  for (let pause = 100;; pause = Math.min(pause * 2, 2_000)) {
    try {
      return await work();
    } catch (error) {
      if (signal?.aborted || !isOutage(error)) throw error;
      await new Promise((again) => setTimeout(again, pause * (0.5 + Math.random())));
    }
  }
}
