/**
 * The sockets of a pool: each says at once that it has closed, and all that are silent while an answer is due can be
 * cut.
 *
 * Bun emits "error" and "close" in different turns. A query that the client (postgres 3.4.9) gives to the connection
 * between them stays in its line when the line is emptied, is never written, and is taken for the first of the next
 * connection: it waits for ever, and whatever comes behind it gets the answer to the query before it. Node and Deno
 * emit both in one turn, where nothing changes.
 *
 * @module
 */
import { Socket, type SocketConstructorOpts } from "node:net";
import type { Hosts } from "./hosts.ts";
import { Messages } from "./messages.ts";

/** What the client tells of where it connects to. */
export interface Address {
  host: string[];
  port: number[];
  /** A Unix socket, instead. */
  path?: string | false;
  /** What its URL says of TLS; without any, the socket carries nothing but messages. */
  ssl?: unknown;
}

/** Whether sockets can read to where they are told. */
const IN_PLACE = !("Bun" in globalThis || "Deno" in globalThis);

/** One connection's socket. */
class PromptSocket extends Socket {
  /** The client takes the name that it expects in a certificate from here. */
  host: string | undefined;
  /** Which of several hosts it leads to. */
  at: number | undefined;
  // Written by look(): what had come when that was last seen to change.
  #seen = { bytes: 0, at: performance.now() };

  constructor(inPlace: boolean) {
    super(inPlace ? readTo(new Messages(), (messages) => super.emit("data", messages)) : undefined);
  }

  override emit(event: string | symbol, ...args: unknown[]): boolean {
    const heard = super.emit(event as "error", ...args as [Error]);
    // The client takes its listeners away then, so that the real one finds nobody.
    if (event === "error") super.emit("close", true);
    return heard;
  }

  /** Take note of what has come; returns when it was seen that something had, by performance.now(). */
  look(): number {
    if (this.bytesRead !== this.#seen.bytes) this.#seen = { bytes: this.bytesRead, at: performance.now() };
    return this.#seen.at;
  }
}

function readTo(messages: Messages, hand: (messages: Uint8Array) => void): SocketConstructorOpts {
  const callback = (count: number) => {
    messages.came(count, hand);
    return true;
  };
  return { onread: { buffer: () => messages.room(), callback } };
}

/** The open sockets of one pool. */
export class Sockets {
  readonly #open = new Set<PromptSocket>();
  readonly #hosts: Hosts;
  readonly #inPlace: boolean;

  /** @param ours Every statement is ours, and so every answer is read where it lies; see `messages.ts`. */
  constructor(hosts: Hosts, ours = false) {
    this.#hosts = hosts;
    this.#inPlace = ours && IN_PLACE;
  }

  /** Make one for the client, which may write before it is connected. */
  readonly make = ({ host: [host], port: [port], path, ssl }: Address): Socket => {
    const socket = new PromptSocket(this.#inPlace && !ssl);
    const one = this.#hosts.pick();
    socket.host = one?.host ?? host;
    socket.at = one?.at;
    this.#open.add(socket);
    socket.once("close", () => {
      this.#open.delete(socket);
      // Nothing ever came: it could not be made, or what answers there is no server.
      if (one && socket.bytesRead === 0) this.#hosts.leave(one.at);
    });
    return path ? socket.connect(path) : socket.connect(one?.port ?? port, socket.host);
  };

  /** The server says that it cannot write: connect anew, to another one if there are several. */
  elsewhere(why: Error): void {
    for (const socket of [...this.#open]) {
      if (socket.at !== undefined) this.#hosts.leave(socket.at);
      socket.destroy(why);
    }
  }

  /** Take note of what has come on each. */
  look(): void {
    for (const socket of this.#open) socket.look();
  }

  /** Break those on which nothing was seen to come since a time. */
  cut(since: number, why: Error): void {
    for (const socket of [...this.#open]) if (socket.look() < since) socket.destroy(why);
  }
}
