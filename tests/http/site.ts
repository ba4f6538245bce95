/**
 * The HTTP surface inside of the test's own process: without a server, with or without a database.
 *
 * @module
 */
import { connect } from "../../mod.ts";
import type { Client } from "../../runtime/client.ts";
import { type Config, loadConfig } from "../../runtime/config.ts";
import { DispatcherError } from "../../runtime/errors.ts";
import { type DispatcherEvent, Events } from "../../runtime/events.ts";
import { buildApp } from "../../runtime/http/app.ts";
import type { HttpParts } from "../../runtime/http/parts.ts";
import type { Chapter } from "../../runtime/http/view/book.ts";
import { FakeClock } from "../fake_clock.ts";
import { database, type TestContext } from "../harness.ts";

export interface SiteOptions {
  /** What the configuration says besides the defaults. */
  config?: Partial<Config>;
  /** Without: the database is away. */
  client?: Client;
  /** What an extension adds. */
  chapter?: Chapter;
}

/** What a request has besides the usual. */
export interface Ask extends RequestInit {
  /** Where it comes from, by default this machine. */
  from?: string;
  /** By default the address of the site. */
  host?: string;
}

export type Site = Awaited<ReturnType<typeof site>>;

/** Build the surface of a node. */
export async function site({ config, client, chapter }: SiteOptions = {}) {
  const loaded = await loadConfig({ env: {} });
  const clock = new FakeClock();
  const events = new Events();
  const said: DispatcherEvent[] = [];
  events.on((event) => said.push(event));
  const parts: HttpParts = {
    metrics: () => Promise.resolve({ text: "", type: "text/plain" }),
    node: {
      name: "n1",
      version: "0",
      runtime: "test 0",
      readiness: () => ({ ready: true, database: true, listen: true, slot: true, draining: false }),
    },
    config: { ...loaded.config, ...config },
    origins: loaded.origins,
    events,
    clock,
    client: () =>
      client ? Promise.resolve(client) : Promise.reject(new DispatcherError("unavailable", "No database")),
    closing: new AbortController().signal,
  };
  const app = buildApp(parts, chapter);
  return {
    app,
    parts,
    clock,
    said,
    /** Ask it. */
    async ask(path: string, { from = "127.0.0.1", host = "127.0.0.1:8070", ...init }: Ask = {}) {
      return await app.request(`http://${host}${path}`, init, { address: from });
    },
  };
}

/** A database of its own with a client. */
export async function clientFor(t: TestContext): Promise<{ client: Client; url: string }> {
  const db = await database({ migrated: true });
  t.after(() => db.drop());
  const client = await connect({ databaseUrl: db.url });
  t.after(() => client.close());
  return { client, url: db.url };
}

/** The header of a name and a password. */
export function basic(user: string, password: string): Record<string, string> {
  return { authorization: `Basic ${Buffer.from(`${user}:${password}`).toString("base64")}` };
}

/** The header of a token. */
export function bearer(token: string): Record<string, string> {
  return { authorization: `Bearer ${token}` };
}
