/**
 * The HTTP surface of a node: what it sees of the node, and the client it asks the cluster through.
 *
 * @module
 */
import { PgNotifyBroker } from "./broker/pg_notify.ts";
import type { Client } from "./client.ts";
import type { Origin } from "./config.ts";
import { clientOf, ready } from "./connect.ts";
import { diagnose } from "./doctor/doctor.ts";
import { type HttpServer, serveHttp } from "./http/server.ts";
import type { NodeParts, NodeState, Works } from "./node_works.ts";
import { VERSION } from "./version.ts";

/** Connections of pages and API calls at most. */
const CONNECTIONS = 3;
/** Seconds after which they are closed when nobody looks. */
const IDLE_SECONDS = 30;
/** Seconds that a statement of a page may take. */
const ANSWER_SECONDS = 10;

/** Serve HTTP for a node; undefined when its configuration says not to. */
export async function serveNode(
  parts: NodeParts,
  works: Works,
  state: NodeState,
  origins: Readonly<Record<string, Origin>>,
): Promise<HttpServer | undefined> {
  const { config, events, platform, extension } = parts;
  const opened = new LazyClient(parts, works);
  const server = await serveHttp({
    config,
    origins,
    events,
    clock: works.clock,
    client: () => opened.get(),
    diagnose: () => diagnose({ ...config, database_url: parts.url }),
    metrics: () => works.observation.text(() => opened.get()),
    node: {
      name: works.name,
      version: VERSION,
      runtime: `${platform.name} ${platform.version}`,
      readiness() {
        const database = works.dispatcher.connected;
        const listen = works.selfCheck.hearing === "connected";
        const slot = [...works.pool.fleet.slots.values()].some((slot) => slot.inOrder);
        const draining = state.phase !== "running";
        return {
          ready: database && listen && slot && !draining && state.started,
          database,
          listen,
          slot,
          draining,
        };
      },
    },
  }, { platform, chapter: extension?.pages });
  if (server) works.observation.serving = server.address;
  return server && {
    address: server.address,
    async close() {
      works.observation.serving = undefined;
      await server.close();
      await opened.close();
    },
  };
}

/** A client that connects at its first use. */
class LazyClient {
  readonly #parts: NodeParts;
  readonly #works: Works;
  #client: Promise<Client> | undefined;

  constructor(parts: NodeParts, works: Works) {
    this.#parts = parts;
    this.#works = works;
  }

  get(): Promise<Client> {
    this.#client ??= this.#open().catch((error) => {
      this.#client = undefined;
      throw error;
    });
    return this.#client;
  }

  async #open(): Promise<Client> {
    const { config, url } = this.#parts;
    const sql = await ready(url, {
      max: CONNECTIONS,
      idleSeconds: IDLE_SECONDS,
      answerSeconds: ANSWER_SECONDS,
      application: `edge-dispatcher http ${this.#works.name}`.slice(0, 63),
      statements: config.prepared_statements,
    });
    const broker = new PgNotifyBroker(sql, config.listen_url ?? url);
    const { clock, packing, published } = this.#works;
    return clientOf({ sql, url, broker, clock, packing, published });
  }

  async close(): Promise<void> {
    await (await this.#client?.catch(() => undefined))?.close();
  }
}
