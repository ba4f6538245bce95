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
      socket.write(`${payload}\n`, (error) => error ? reject(this.#gone(error.message)) : resolve());
    });
  }

  #connect(): Promise<Socket> {
    if (this.#socket) return this.#socket;
    const connected: Promise<Socket> = new Promise((resolve, reject) => {
      const socket = createConnection(this.#path);
      socket.once("connect", () => resolve(socket));
      socket.on("error", (error) => {
        if (this.#socket === connected) this.#socket = undefined;
        const where = `Cannot reach a node on socket "${this.#path}"`;
        reject(new DispatcherError("unavailable", `${where}: ${error.message}`));
      });
      socket.on("close", () => {
        // An earlier one of its own, after a reset, is nothing to tell of; whoever asks anew gets a new one.
        if (this.#socket !== connected) return;
        this.#socket = undefined;
        for (const listener of [...this.#listeners.keys()]) listener.lost?.(this.#gone("it was closed"));
      });
      readSocketLines(socket, (text) => {
        for (const [listener, channels] of this.#listeners) listener.message(channels[0], text);
      });
    });
    return this.#socket = connected;
  }

  #gone(why: string): DispatcherError {
    const what = `Lost the connection to the node on socket "${this.#path}"`;
    return new DispatcherError("unavailable", `${what}: ${why}`);
  }

  async reset(): Promise<void> {
    await this.close();
  }

  async close(): Promise<void> {
    const connected = this.#socket;
    this.#socket = undefined;
    (await connected?.catch(() => undefined))?.destroy();
  }
}
