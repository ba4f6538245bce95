/**
 * Requests that another site makes a browser send, with the credentials that the browser keeps.
 *
 * | what changes something | passes when |
 * |---|---|
 * | with a bearer token | always: no browser adds one by itself |
 * | from a browser (it says where from: Sec-Fetch-Site, else Origin) | it comes from our own pages |
 * | as a form | it has the token of its page besides: forms are what other sites can send without asking |
 *
 * @module
 */
import { createHmac, randomBytes, timingSafeEqual } from "node:crypto";
import type { MiddlewareHandler } from "hono";
import { html } from "hono/html";
import { HTTPException } from "hono/http-exception";
import type { HtmlEscapedString } from "hono/utils/html";
import type { Config } from "../config.ts";
import type { Ctx, Env } from "./env.ts";
import type { HttpParts } from "./parts.ts";

/** Name of the hidden field. */
export const CSRF_FIELD = "_csrf";
/** The same for scripts that send a form. */
export const CSRF_HEADER = "X-CSRF-Token";

const SAFE = new Set(["GET", "HEAD", "OPTIONS"]);
const FORM = /^(application\/x-www-form-urlencoded|multipart\/form-data|text\/plain)\b/i;
/** A form may be sent for so long; after half of it pages get the next token. */
const PERIOD_MS = 12 * 3_600_000;

/** Refuse what another site sends. */
export function csrf({ config, clock }: HttpParts): MiddlewareHandler<Env> {
  const key = keyOf(config);
  const tokenOf = (c: Ctx, period: number) => {
    const { how, name } = c.var.who;
    return createHmac("sha256", key).update(`csrf ${period} ${how} ${name}`).digest("base64url");
  };
  const now = () => Math.floor(clock.now() / PERIOD_MS);
  return async (c, next) => {
    c.set("csrf", () => tokenOf(c, now()));
    if (SAFE.has(c.req.method) || c.var.who.how === "bearer") return await next();
    if (!isOurPage(c)) throw refused("it comes from a page of another site");
    if (FORM.test(c.req.header("content-type") ?? "")) {
      const given = await tokenIn(c);
      const fits = [now(), now() - 1].map((period) => isSame(given, tokenOf(c, period)));
      if (!fits.includes(true)) throw refused("its form is too old: load the page again");
    }
    await next();
  };
}

/** The hidden field that every form of ours has. */
export function csrfField(c: Ctx): HtmlEscapedString | Promise<HtmlEscapedString> {
  return html`<input type="hidden" name="${CSRF_FIELD}" value="${c.var.csrf()}">`;
}

function refused(why: string): HTTPException {
  return new HTTPException(403, { message: `Cannot take this request: ${why}` });
}

/** One that says nothing of where it comes from is no browser's. */
function isOurPage(c: Ctx): boolean {
  const site = c.req.header("sec-fetch-site");
  if (site !== undefined) return site === "same-origin" || site === "none";
  const origin = c.req.header("origin");
  if (origin === undefined) return true;
  const host = c.req.header("host") ?? new URL(c.req.url).host;
  // Not the scheme: a proxy may have taken TLS off.
  return URL.canParse(origin) && new URL(origin).host === host;
}

async function tokenIn(c: Ctx): Promise<string> {
  const header = c.req.header(CSRF_HEADER);
  if (header !== undefined) return header;
  const field = (await c.req.parseBody())[CSRF_FIELD];
  return typeof field === "string" ? field : "";
}

function isSame(a: string, b: string): boolean {
  const [x, y] = [Buffer.from(a), Buffer.from(b)];
  return x.length === y.length && timingSafeEqual(x, y);
}

/**
 * The same on all nodes of a cluster, so that a form may be sent to another one than it came from; where the
 * configuration has no secret, it is this process's.
 */
function keyOf({ http_auth, database_url }: Config): Buffer {
  const secrets = JSON.stringify([http_auth, database_url ?? null]);
  const hasSecret = http_auth.some(({ kind }) => kind !== "proxy") ||
    /:\/\/[^/@]*:[^/@]+@/.test(database_url ?? "");
  return createHmac("sha256", "edge-dispatcher csrf").update(hasSecret ? secrets : randomBytes(32)).digest();
}
