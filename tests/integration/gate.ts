/**
 * A way to a database that can be shut and opened again: what a restart or an outage looks like to a client.
 *
 * @module
 */
import { once } from "node:events";
import { connect, createServer, type Server, type Socket } from "node:net";
import type { TestContext } from "../harness.ts";

export interface Gate {
  /** Leads through the gate. */
  readonly url: string;
  /** Break every connection and take no new ones. */
  shut(): Promise<void>;
  /** Take connections again, on the same port. */
  open(): Promise<void>;
}

/** Make an open gate before the server of a URL; it is gone after the test. */
export async function gate(t: TestContext, url: string): Promise<Gate> {
  const target = new URL(url);
  const sockets = new Set<Socket>();
  const server = createServer((near) => {
    const far = connect(Number(target.port || 5432), target.hostname);
    for (const [socket, other] of [[near, far], [far, near]]) {
      sockets.add(socket);
      socket.on("error", () => {}).on("close", () => {
        sockets.delete(socket);
        other.destroy();
      });
      socket.pipe(other);
    }
  });
  const port = await listen(server, 0);
  const shut = async () => {
    const closed = once(server, "close");
    server.close();
    for (const socket of sockets) socket.destroy();
    await closed;
  };
  t.after(() => server.listening && shut());
  const through = new URL(url);
  through.host = `127.0.0.1:${port}`;
  return { url: through.href, shut, open: async () => void await listen(server, port) };
}

async function listen(server: Server, port: number): Promise<number> {
  server.listen(port, "127.0.0.1");
  await once(server, "listening");
  return (server.address() as { port: number }).port;
}
