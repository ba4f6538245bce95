/**
 * The server: binds the address when the node starts, loads the pages with the first request.
 *
 * @module
 */
import { DispatcherError, errorLine } from "../errors.ts";
import type { Events } from "../events.ts";
import { addressText, DEFAULT_HTTP, HTTP_OFF, httpAddress } from "../http_access.ts";
import type { Platform, Served } from "../platform/platform.ts";
import type { Probed } from "./health.ts";
import type { Guarded, HttpParts } from "./parts.ts";
import type { Chapter } from "./view/book.ts";

/** A server that listens. */
export interface HttpServer {
  /** `HOST:PORT`. */
  readonly address: string;
  close(): Promise<void>;
}

/**
 * Listen where the configuration says; undefined when it says nowhere. The default address gives way to a free port
 * when it is taken, for several nodes may share a machine; one that somebody chose does not.
 *
 * @throws {DispatcherError} `config` when the system refuses the address.
 */
export async function serveHttp(
  parts: Omit<HttpParts, "closing">,
  { platform, chapter }: { platform: Platform; chapter?(): Promise<Chapter> },
): Promise<HttpServer | undefined> {
  const { config, origins, events } = parts;
  const chosen = config.http !== DEFAULT_HTTP || (origins.http ?? "default") !== "default";
  return await listen({ http: config.http, chosen, events }, platform, async (closing) => {
    const [{ buildApp }, more] = await Promise.all([
      import("./app.ts" as string) as Promise<typeof import("./app.ts")>,
      chapter?.(),
    ]);
    return buildApp({ ...parts, closing }, more);
  });
}

/** Listen for probes and metrics alone; see {@link serveHttp}. */
export async function serveProbes(
  parts: Guarded & Probed & Pick<HttpParts, "metrics">,
  address: { http: string; chosen: boolean },
  platform: Platform,
): Promise<HttpServer | undefined> {
  return await listen({ ...address, events: parts.events }, platform, async () => {
    const { buildProbes }: typeof import("./app.ts") = await import("./app.ts" as string);
    return buildProbes(parts);
  });
}

interface Listening {
  http: string;
  /** Whether somebody chose the address. */
  chosen: boolean;
  events: Events;
}

async function listen(where: Listening, platform: Platform, build: Build): Promise<HttpServer | undefined> {
  const { http, chosen } = where;
  if (http === HTTP_OFF) return undefined;
  const { host, port } = httpAddress(http)!;
  const closing = new AbortController();
  const fetch = lazily(build, closing.signal);
  const served = await platform.serve({ hostname: host, port, fetch }).catch((error) => {
    if (chosen) throw refused(http, error);
    return elsewhere(where, platform, { hostname: host, port: 0, fetch });
  });
  return {
    address: addressText({ host, port: served.port }),
    async close() {
      closing.abort();
      await served.close();
    },
  };
}

async function elsewhere(
  { http, events }: Listening,
  platform: Platform,
  options: Parameters<Platform["serve"]>[0],
): Promise<Served> {
  const served = await platform.serve(options).catch((error) => {
    throw refused(http, error);
  });
  events.emit(
    "warning",
    "http.elsewhere",
    `HTTP address ${http} is taken: port ${served.port} is used`,
  );
  return served;
}

function refused(http: string, error: unknown): DispatcherError {
  return new DispatcherError("config", `Cannot serve HTTP on "${http}": ${errorLine(error)}`, {
    cause: error,
  });
}

type App = ReturnType<typeof import("./app.ts").buildApp>;
type Build = (closing: AbortSignal) => Promise<App>;

/** The pages and their libraries cost a tenth of a second, which no start should wait for. */
function lazily(build: Build, closing: AbortSignal): Parameters<Platform["serve"]>[0]["fetch"] {
  let app: Promise<App> | undefined;
  return async (request, address) => {
    app ??= build(closing);
    return await (await app).fetch(request, { address });
  };
}
