/**
 * A way to a database that can go half open: nothing comes through, and neither side is told.
 *
 * @module
 */
import { connect as connectTcp, createServer, type Socket } from "node:net";
import type { TestContext } from "../harness.ts";

/** A way to a server that can be told to swallow whatever comes, without a sign to either side. */
export async function swallower(t: TestContext, to: URL) {
  const sockets = new Set<Socket>();
  let swallowing = false;
  let made = 0;
  const server = createServer((socket) => {
    made++;
    const onward = connectTcp(Number(to.port || 5432), to.hostname);
    // What was made before stays dead; a new one goes through.
    const state = { dead: false };
    deaths.push(() => state.dead = true);
    state.dead = swallowing;
    for (const [from, into] of [[socket, onward], [onward, socket]]) {
      sockets.add(from);
      from.on("data", (bytes) => state.dead || into.write(bytes));
      from.on("error", () => {});
      from.on("close", () => state.dead || into.destroy());
    }
  });
  const deaths: (() => void)[] = [];
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  t.after(() => {
    for (const socket of sockets) socket.destroy();
    return new Promise((resolve) => server.close(resolve));
  });
  const url = new URL(to);
  url.host = `127.0.0.1:${(server.address() as { port: number }).port}`;
  return {
    url: url.href,
    made: () => made,
    /** Let the connections that there are go half open, and new ones too until `end` if told. */
    swallow(newOnes: boolean) {
      for (const die of deaths.splice(0)) die();
      swallowing = newOnes;
    },
    end: () => void (swallowing = false),
  };
}
