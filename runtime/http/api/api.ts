/**
 * The API, put together, and the document that describes it.
 *
 * @module
 */
import { VERSION } from "../../version.ts";
import type { HttpParts } from "../parts.ts";
import { bodyLimit } from "./body.ts";
import { cluster } from "./cluster.ts";
import { envelopes } from "./envelopes.ts";
import { publishing } from "./publishing.ts";
import { type Api, part } from "./routes.ts";

/** A body has so many bytes at most, or as many as one envelope may have. */
const MOST_BYTES = 16 * 1024 * 1024;

/** Everything below `/api`. */
export function api({ config }: HttpParts): Api {
  const app = part();
  app.use(bodyLimit(Math.max(MOST_BYTES, config.max_args_bytes + 65_536)));
  for (const one of [publishing(), envelopes(), cluster()]) app.route("/", one);
  security(app);
  const servers = [{ url: `${config.http_base_path.replace(/\/$/, "")}/api` }];
  app.get("/openapi.json", (c) => c.json(documentOf(app, servers)));
  return app;
}

function security(app: Api): void {
  const { openAPIRegistry: registry } = app;
  registry.registerComponent("securitySchemes", "bearer", { type: "http", scheme: "bearer" });
  registry.registerComponent("securitySchemes", "basic", { type: "http", scheme: "basic" });
}

/** The document (OpenAPI 3.1). */
export function documentOf(app: Api, servers: { url: string }[]): Record<string, unknown> {
  const { paths, ...document } = app.getOpenAPI31Document({
    openapi: "3.1.0",
    info: {
      title: "edge-dispatcher",
      version: VERSION,
      description:
        "Errors are problem details (RFC 9457). Keyword arguments are in no answer; what is shown of " +
        "arguments, progress and results is redacted.",
    },
    servers,
    // The last: on a loopback address without http_auth nobody asks.
    security: [{ bearer: [] }, { basic: [] }, {}],
  });
  // How a path says that a parameter may have slashes is the router's business.
  const plain = Object.entries(paths ?? {}).map(([path, item]) => [path.replace("{.+}", ""), item]);
  return { ...document, paths: Object.fromEntries(plain) };
}
