/**
 * The server: binds the address when the node starts, loads the pages with the first request.
 *
 * @module
 */
import { DispatcherError, errorLine } from "../errors.ts";
import { addressText, DEFAULT_HTTP, HTTP_OFF, httpAddress } from "../http_access.ts";
import type { Platform, Served } from "../platform/platform.ts";
import type { HttpParts } from "./parts.ts";
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
  const { http } = parts.config;
  if (http === HTTP_OFF) return undefined;
  const { host, port } = httpAddress(http)!;
  const closing = new AbortController();
  const fetch = lazily({ ...parts, closing: closing.signal }, chapter);
  const served = await platform.serve({ hostname: host, port, fetch }).catch((error) => {
    if (http !== DEFAULT_HTTP || (parts.origins.http ?? "default") !== "default") throw refused(http, error);
    return elsewhere(parts, platform, { hostname: host, port: 0, fetch });
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
  { config, events }: Pick<HttpParts, "config" | "events">,
  platform: Platform,
  options: Parameters<Platform["serve"]>[0],
): Promise<Served> {
  const served = await platform.serve(options).catch((error) => {
    throw refused(config.http, error);
  });
  events.emit(
    "warning",
    "http.elsewhere",
    `HTTP address ${config.http} is taken: port ${served.port} is used`,
  );
  return served;
}

function refused(http: string, error: unknown): DispatcherError {
  return new DispatcherError("config", `Cannot serve HTTP on "${http}": ${errorLine(error)}`, {
    cause: error,
  });
}

/** The pages and their libraries cost a tenth of a second, which no start should wait for. */
function lazily(
  parts: HttpParts,
  chapter?: () => Promise<Chapter>,
): Parameters<Platform["serve"]>[0]["fetch"] {
  let app: Promise<ReturnType<typeof import("./app.ts").buildApp>> | undefined;
  return async (request, address) => {
    app ??= Promise.all([import("./app.ts"), chapter?.()]).then(([{ buildApp }, more]) =>
      buildApp(parts, more)
    );
    return await (await app).fetch(request, { address });
  };
}
