/**
 * What the focused fault tests share: a node that is stopped after its test, and a server of one's own.
 *
 * @module
 */
import { join } from "node:path";
import postgres from "postgres";
import { tempDir, type TestContext } from "../harness.ts";
import { OwnServer } from "./server.ts";

/** A server that the test may stop, gone after it. */
export async function ownServer(t: TestContext, settings?: Record<string, string>): Promise<OwnServer> {
  const server = await OwnServer.start(join(tempDir(), "server"), settings);
  t.after(() => server.stop("immediate"));
  return server;
}

/** A connection past all proxies, which outlives a restart of the server. */
export function admin(t: TestContext, url: string): postgres.Sql {
  const sql = postgres(url, { max: 2, onnotice: () => {}, backoff: () => 0.25 });
  t.after(() => sql.end({ timeout: 1 }));
  return sql;
}

/** How often a text occurs. */
export function times(text: string, part: string): number {
  return text.split(part).length - 1;
}
