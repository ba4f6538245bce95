/**
 * The Unix socket of a node: it takes what a channel takes, one JSON message a line, and answers on the connection
 * that asked. Only the owner of the node may connect.
 *
 * | what can fail | what happens |
 * |---|---|
 * | the socket's file is left from a node that died | it is replaced, unless somebody still answers on it |
 * | a client sends nonsense, or leaves | its connection only |
 *
 * @module
 */
import { chmodSync, lstatSync, rmSync } from "node:fs";
import { createConnection, createServer, type Server, type Socket } from "node:net";
import { DispatcherError } from "../errors.ts";
import { readSocketLines } from "./lines.ts";

/** Takes a message; `answer` writes to the connection it came on. */
export type SocketHandler = (payload: string, answer: (text: string) => void) => void;

/** A listening socket. */
export class SocketServer {
  readonly #path: string;
  readonly #handler: SocketHandler;
  readonly #sockets = new Set<Socket>();
  #server: Server | undefined;

  constructor(path: string, handler: SocketHandler) {
    this.#path = path;
    this.#handler = handler;
  }

  /**
   * Begin to listen.
   *
   * @throws {DispatcherError} `config` when another process listens there, or the place cannot be used.
   */
  async start(): Promise<void> {
    if (await answers(this.#path)) throw this.#error("another process listens on it");
    const there = lstatSync(this.#path, { throwIfNoEntry: false });
    if (there && !there.isSocket()) throw this.#error("something is there that is no socket");
    rmSync(this.#path, { force: true });
    const server = this.#server = createServer((socket) => this.#serve(socket));
    await new Promise<void>((resolve, reject) => {
      server.once("error", (error) => reject(this.#error(error.message)));
      server.listen(this.#path, () => resolve());
    });
    chmodSync(this.#path, 0o600);
  }

  #serve(socket: Socket): void {
    this.#sockets.add(socket);
    socket.on("error", () => socket.destroy());
    socket.on("close", () => this.#sockets.delete(socket));
    readSocketLines(socket, (payload) => {
      try {
        this.#handler(payload, (text) => {
          if (!socket.destroyed) socket.write(`${text}\n`);
        });
      } catch {
        socket.destroy();
      }
    });
  }

  #error(why: string): DispatcherError {
    return new DispatcherError("config", `Cannot listen on socket "${this.#path}": ${why}`);
  }

  async stop(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    const server = this.#server;
    if (!server) return;
    await new Promise<void>((resolve) => server.close(() => resolve()));
    rmSync(this.#path, { force: true });
  }
}

function answers(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = createConnection(path);
    socket.once("connect", () => {
      socket.destroy();
      resolve(true);
    });
    socket.once("error", () => resolve(false));
  });
}
