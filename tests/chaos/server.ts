/**
 * A PostgreSQL of one's own that can be stopped and started again, with fsync on as users have it.
 *
 * @module
 */
import { mkdirSync } from "node:fs";
import { setTimeout as rest } from "node:timers/promises";
import { type Embedded, startEmbedded } from "../../runtime/store/embedded.ts";
import { isAlive } from "../../runtime/platform/process_identity.ts";
import { guardPid } from "../harness/child_guard.ts";
import { systemPostgres } from "../runner/servers.ts";

const SIGNALS = { smart: "SIGTERM", fast: "SIGINT", immediate: "SIGQUIT" } as const;
const STOP_MS = 30_000;

export type StopMode = keyof typeof SIGNALS;

/** One server in one folder. */
export class OwnServer {
  readonly #dir: string;
  readonly #native = systemPostgres();
  readonly #settings: Record<string, string>;
  #running: Embedded | undefined;
  #unguard = () => {};
  /** Is told of every process that serves later. */
  started: ((pid: number) => void) | undefined;
  #url = "";

  private constructor(dir: string, settings: Record<string, string>) {
    this.#dir = dir;
    this.#settings = settings;
  }

  static async start(dir: string, settings: Record<string, string> = {}): Promise<OwnServer> {
    mkdirSync(dir, { recursive: true, mode: 0o755 });
    const server = new OwnServer(dir, settings);
    await server.start();
    return server;
  }

  /** As its superuser. */
  get url(): string {
    return this.#url;
  }

  get pid(): number | undefined {
    return this.#running?.pid;
  }

  /** Start it again, on the port it had. */
  async start(): Promise<void> {
    if (this.#running) return;
    const settings = this.#settings;
    this.#running = await startEmbedded({ dir: this.#dir, native: this.#native, settings });
    this.#unguard = guardPid(this.#running.pid);
    this.started?.(this.#running.pid);
    if (this.#url !== "" && this.#url !== this.#running.url) {
      throw new Error(`The server came back at another address: its port was taken meanwhile`);
    }
    this.#url = this.#running.url;
  }

  /** Stop it: `fast` ends sessions in order, `immediate` is a crash with recovery. */
  async stop(mode: StopMode = "fast"): Promise<void> {
    const running = this.#running;
    if (!running) return;
    this.#running = undefined;
    process.kill(running.pid, SIGNALS[mode]);
    const deadline = performance.now() + STOP_MS;
    while (isAlive(running.pid)) {
      if (performance.now() > deadline) throw new Error(`Server ${running.pid} did not stop (${mode})`);
      await rest(20);
    }
    this.#unguard();
  }
}
