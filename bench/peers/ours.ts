/**
 * edge-dispatcher as others use it: `connect()` and `publish()`.
 *
 * @module
 */
import postgres from "postgres";
import { connect } from "../../mod.ts";
import type { Peer } from "./peer.ts";

/** Open a client; it applies the migrations. */
export async function open(url: string): Promise<Peer> {
  const client = await connect({ databaseUrl: url });
  const sql = postgres(url, { max: 1, onnotice: () => {} });
  let last = "";
  return {
    candidates: [{}],
    quickest: [{}],
    async prepare() {},
    async publish({ task, args }) {
      last = (await client.publish(task, args)).uuid;
    },
    async publishMany(calls) {
      last = (await client.publishMany(calls)).at(-1)!.uuid;
    },
    async publishAndWait({ task, args }) {
      const published = await client.publish(task, args);
      last = published.uuid;
      await published.result();
    },
    async lastIsDone() {
      return (await sql`select from dispatcher.envelope where uuid = ${last}`).length === 0;
    },
    async left() {
      return (await sql`select count(*)::int n from dispatcher.envelope`)[0].n;
    },
    async stamps() {
      const rows = await sql`select result from dispatcher.archive where task = 'stamp' order by uuid`;
      return rows.map(({ result }) => result);
    },
  };
}
