/**
 * A way to a server that can be made slow, cut, or turned into a hole that swallows everything without a sign.
 *
 * @module
 */
import { once } from "node:events";
import { connect, createServer, type Server, type Socket } from "node:net";
import type { TestContext } from "./testing.ts";

interface Link {
  near: Socket;
  far: Socket | undefined;
  /** Swallows what comes, from either side, and passes on no end. */
  dead: boolean;
}

/** One port before one server. */
export class TcpProxy {
  readonly #target: URL;
  readonly #server: Server;
  readonly #links = new Set<Link>();
  #delayMs = 0;
  #swallowing = false;
  #port = 0;
  #broken = { from: 0, to: 0 };
  /** Connections that were ever made. */
  made = 0;

  private constructor(target: URL) {
    this.#target = target;
    this.#server = createServer((near) => this.#accept(near));
  }

  /** Open a way to the server of a URL. */
  static async open(url: string): Promise<TcpProxy> {
    const proxy = new TcpProxy(new URL(url));
    await proxy.#listen();
    return proxy;
  }

  /** The same for a test, after which it is closed. */
  static async before(t: TestContext, url: string): Promise<TcpProxy> {
    const proxy = await TcpProxy.open(url);
    t.after(() => proxy.close());
    return proxy;
  }

  get port(): number {
    return this.#port;
  }

  /** The server's URL, by this way. */
  get url(): string {
    const through = new URL(this.#target);
    through.host = `127.0.0.1:${this.#port}`;
    return through.href;
  }

  get connections(): number {
    return this.#links.size;
  }

  /** Pass everything on so many milliseconds later; 0 ends it. */
  delay(ms: number): void {
    this.#delayMs = ms;
  }

  /** Break every connection there is with a reset, on both sides; new ones go through. */
  drop(): void {
    for (const link of [...this.#links]) this.#reset(link);
  }

  /** From now on swallow everything, both ways, of the connections that there are and of new ones unless told. */
  blackhole({ newOnes = true }: { newOnes?: boolean } = {}): void {
    this.#swallowing = newOnes;
    for (const link of this.#links) link.dead = true;
  }

  /** Break the `first` connection, counted from 1, and those after it, `count` in all, before anything passes. */
  breakFrom(first: number, count: number): void {
    this.#broken = { from: first, to: first + count - 1 };
  }

  /** Break every connection and take no new ones, as a server that is stopped. */
  async refuse(): Promise<void> {
    const closed = once(this.#server, "close");
    this.#server.close();
    this.drop();
    await closed;
  }

  /**
   * As it was: connections pass. What was swallowed cannot be mended: those connections are reset, or stay half open for
   * ever, as when a firewall has forgotten them.
   */
  async heal({ reset = true }: { reset?: boolean } = {}): Promise<void> {
    this.#delayMs = 0;
    this.#swallowing = false;
    for (const link of [...this.#links]) if (link.dead && reset) this.#reset(link);
    if (!this.#server.listening) await this.#listen();
  }

  async close(): Promise<void> {
    this.#swallowing = false;
    this.drop();
    if (this.#server.listening) await this.refuse();
  }

  async #listen(): Promise<void> {
    this.#server.listen(this.#port, "127.0.0.1");
    await once(this.#server, "listening");
    this.#port = (this.#server.address() as { port: number }).port;
  }

  #accept(near: Socket): void {
    this.made++;
    const link: Link = { near, far: undefined, dead: this.#swallowing };
    this.#links.add(link);
    near.on("error", () => {});
    if (this.made >= this.#broken.from && this.made <= this.#broken.to) return this.#reset(link);
    if (link.dead) {
      near.on("data", () => {});
      near.on("close", () => this.#links.delete(link));
      return;
    }
    const far = connect(Number(this.#target.port || 5432), this.#target.hostname);
    link.far = far;
    far.on("error", () => {});
    near.setNoDelay(true);
    far.setNoDelay(true);
    this.#carry(link, near, far);
    this.#carry(link, far, near);
  }

  #carry(link: Link, from: Socket, into: Socket): void {
    const line = new Line(() => this.#delayMs);
    const pass = (action: () => void) => line.pass(action);
    from.on("data", (bytes) => {
      if (link.dead) return;
      pass(() => {
        if (link.dead || into.destroyed || into.write(bytes)) return;
        from.pause();
        into.once("drain", () => from.resume());
      });
    });
    from.on("end", () => link.dead || pass(() => into.end()));
    from.on("close", () => {
      if (link.dead) return;
      pass(() => into.destroy());
      this.#links.delete(link);
    });
  }

  #reset(link: Link): void {
    this.#links.delete(link);
    for (const socket of [link.near, link.far]) {
      if (!socket || socket.destroyed) continue;
      try {
        socket.resetAndDestroy();
      } catch {
        socket.destroy();
      }
    }
  }
}

/** What is held up, in order: one timer, for two may fire in the wrong order. */
class Line {
  readonly #delay: () => number;
  readonly #held: { at: number; action: () => void }[] = [];
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(delay: () => number) {
    this.#delay = delay;
  }

  pass(action: () => void): void {
    const ms = this.#delay();
    if (ms === 0 && this.#held.length === 0) return action();
    this.#held.push({ at: performance.now() + ms, action });
    this.#timer ??= setTimeout(() => this.#release(), ms);
  }

  #release(): void {
    this.#timer = undefined;
    const now = performance.now();
    while (this.#held.length > 0 && this.#held[0].at <= now) this.#held.shift()!.action();
    if (this.#held.length > 0) this.#timer = setTimeout(() => this.#release(), this.#held[0].at - now + 1);
  }
}
