/**
 * The client of the HTTP API of edge-dispatcher, for browsers, Deno, Bun and Node. It needs `fetch` and nothing else.
 *
 * @example
 * ```ts ignore
 * import { httpClient } from "edge-dispatcher/http";
 *
 * const client = httpClient({ url: "http://127.0.0.1:8070", token: "…" });
 * await client.run("examples/add", [1, 1]); // 2
 * ```
 *
 * @module
 */
export {
  HttpClient,
  httpClient,
  type HttpClientOptions,
  HttpProblem,
  type Selection,
  type WaitOptions,
} from "./api/client.ts";
export type * from "./api/types.ts";
