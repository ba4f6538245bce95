/**
 * No queue: a row is inserted, then a NOTIFY comes back to somebody who LISTENs. What is left between this and a
 * queue is the queue's.
 *
 * @module
 */
import postgres from "postgres";
import { WORKS } from "../works.ts";
import type { Call, Peer } from "./peer.ts";

/** Open a connection. */
export function open(url: string): Peer {
  const sql = postgres(url, { max: 1, onnotice: () => {} });
  const publish = async (call: Call) => {
    await sql`insert into message ${sql({ call: sql.json(call as never) })}`;
    await sql.notify("message", JSON.stringify(call));
  };
  return {
    candidates: [{}],
    quickest: [{}],
    async prepare() {
      await sql`create table if not exists message (id bigserial primary key, call jsonb)`;
    },
    publish,
    async publishMany(calls) {
      for (const call of calls) await publish(call);
    },
    lastIsDone: () => Promise.resolve(true),
    left: () => Promise.resolve(0),
    async work() {
      await sql.listen("message", (payload) => {
        const { task, args }: Call = JSON.parse(payload);
        WORKS[task](...args as never[]);
      });
    },
  };
}
