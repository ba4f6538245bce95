/**
 * The broker over a Unix socket, from the side of a client: what is sent goes to one node, and what it answers comes
 * back on the same connection, whatever channel it names.
 *
 * @module
 */
import { createConnection, type Socket } from "node:net";
import { DispatcherError } from "../errors.ts";
import type { Broker, Listener } from "./broker.ts";
import { readSocketLines } from "./lines.ts";

/** A connection to the socket of one node. */
export class SocketBroker implements Broker {
  readonly #path: string;
  readonly #listeners = new Map<Listener, readonly string[]>();
  #socket: Promise<Socket> | undefined;

  constructor(path: string) {
    this.#path = path;
  }

  async listen(channels: readonly string[], listener: Listener): Promise<() => Promise<void>> {
    this.#listeners.set(listener, channels);
    await this.#connect();
    return () => {
      this.#listeners.delete(listener);
      return Promise.resolve();
    };
  }

  async notify(_channel: string, payload: string): Promise<void> {
    const socket = await this.#connect();
    await new Promise<void>((resolve, reject) => {
      socket.write(`${payload}\n`, (error) => error ? reject(error) : resolve());
    });
  }

  #connect(): Promise<Socket> {
    this.#socket ??= new Promise((resolve, reject) => {
      const socket = createConnection(this.#path);
      socket.once("connect", () => resolve(socket));
      socket.on("error", (error) => {
        this.#socket = undefined;
        reject(
          new DispatcherError(
            "unavailable",
            `Cannot reach a node on socket "${this.#path}": ${error.message}`,
          ),
        );
      });
      socket.on("close", () => this.#socket = undefined);
      readSocketLines(socket, (text) => {
        for (const [listener, channels] of this.#listeners) listener.message(channels[0], text);
      });
    });
    return this.#socket;
  }

  async reset(): Promise<void> {
    await this.close();
  }

  async close(): Promise<void> {
    const socket = await this.#socket?.catch(() => undefined);
    this.#socket = undefined;
    socket?.destroy();
  }
}
