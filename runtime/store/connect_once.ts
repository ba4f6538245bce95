/**
 * A client for transactions: one connection, which is never replaced.
 *
 * Not `begin()` or `reserve()` of a pool: those write to a connection that is gone, which ends the process
 * (porsager/postgres#1208). A client of one connection would open another one instead, on which the rest of the
 * statements would commit one by one; so this one gets no second socket.
 *
 * @module
 */
import { Duplex } from "node:stream";
import postgres from "postgres";
import { CONNECT_SECONDS, DATE_STYLE, type Sql } from "./connection.ts";
import { firstHostOf, Hosts } from "./hosts.ts";
import { type Address, Sockets } from "./socket.ts";

/** Breaks the connection. */
export type Cut = (why: Error) => void;

/** A client with the defaults of the package and one connection, which is never replaced. */
export function connectOnce(
  url: string,
  application = "edge-dispatcher transaction",
): { sql: Sql; cut: Cut } {
  const sockets = new Sockets(new Hosts(url));
  let connected = false;
  const socket = (address: Address) => {
    if (connected) return lostSocket();
    return sockets.make(address).once("connect", () => connected = true);
  };
  const sql = postgres(firstHostOf(url), {
    max: 1,
    // A statement that is named would have to be forgotten, too, where the way leads through a pooler.
    prepare: false,
    connect_timeout: CONNECT_SECONDS,
    backoff: () => 0,
    // By default it is replaced after an hour or so.
    max_lifetime: null,
    onnotice: () => {},
    ...{ socket },
    // Long, so that what is to fail on the second socket fails at once.
    connection: { application_name: application, DateStyle: DATE_STYLE },
  });
  return { sql, cut: (why) => sockets.cut(Infinity, why) };
}

/** Takes nothing: whatever the client would send over another connection fails. */
function lostSocket(): Duplex {
  const error = new Error("The connection of the transaction was lost, and what it did is rolled back");
  return new Duplex({
    read() {},
    write: (_chunk, _encoding, done) => done(Object.assign(error, { code: "CONNECTION_CLOSED" })),
  });
}
