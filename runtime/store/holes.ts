/**
 * Results without holes. The client counts the rows of an answer by connection, and begins anew when an answer is whole
 * (postgres 3.4.9; porsager/postgres#1119). After one that broke off, by an error behind its first rows or with its
 * connection, the next answer on that connection begins with as many holes: its first row is undefined, and it is longer
 * than what it has.
 *
 * @module
 */

/** What resolves a statement; the client's queries have it as a property. */
interface Query {
  resolve(result: unknown): void;
}

/** Have a statement that nobody has sent yet resolve with its rows alone. */
export function withoutHoles<T extends PromiseLike<unknown>>(statement: T): T {
  const query = statement as unknown as Query;
  const { resolve } = query;
  query.resolve = (result) => resolve(closed(result));
  return statement;
}

/** Take the holes out; of several statements in one message the first alone can have some. */
function closed(result: unknown): unknown {
  if (!Array.isArray(result) || result.length === 0) return result;
  let holes = 0;
  while (holes < result.length && !(holes in result)) holes++;
  if (holes > 0) result.splice(0, holes);
  closed(result[0]);
  return result;
}
