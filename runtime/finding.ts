/**
 * From the beginning of a uuid to the envelopes that it stands for.
 *
 * @module
 */
import { DispatcherError } from "./errors.ts";
import type { EnvelopeRow, Store } from "./store/store.ts";

/** The envelopes that a uuid or the beginning of one stands for: one, or all copies of one broadcast. */
export async function findRows(
  store: Pick<Store, "list" | "broadcasts">,
  prefix: string,
  verb: string,
  { log = false }: { log?: boolean },
): Promise<EnvelopeRow[]> {
  if (!/^[0-9a-f-]{4,36}$/i.test(prefix)) {
    throw new DispatcherError(
      "usage",
      `Cannot ${verb} "${prefix}": it is not a uuid or the first 4 or more digits of one`,
    );
  }
  let rows = await store.list({ uuid: prefix, limit: 200 });
  if (rows.length === 0 && log) rows = await store.broadcasts(prefix, 200);
  if (rows.length === 0) {
    throw new DispatcherError("not_found", `Cannot ${verb} "${prefix}": no such envelope`);
  }
  const exact = rows.filter((row) =>
    row.uuid === prefix.toLowerCase() || row.origin === prefix.toLowerCase()
  );
  if (exact.length > 0) return exact;
  const known = new Set(rows.map((row) => row.origin ?? row.uuid));
  if (known.size > 1) {
    const some = [...known].slice(0, 5).join(", ");
    throw new DispatcherError(
      "ambiguous",
      `Cannot ${verb} "${prefix}": ${known.size} envelopes have this prefix: ${some}`,
    );
  }
  return rows;
}
