/**
 * Who may come in, and as what.
 *
 * | configured | who comes in |
 * |---|---|
 * | nothing (a loopback address only) | whoever is on this machine, as operator |
 * | basic | a name and a password that fit |
 * | bearer | a token that fits |
 * | proxy | whom the header names, when it comes from an address of the proxy; the header means nothing from elsewhere |
 *
 * A page of another site can have its own name resolved to this machine, and then reads what it gets from here
 * (DNS rebinding). The browser still sends that name as the host, so on a loopback address only names of this machine
 * are answered, and those of `http_hosts`.
 *
 * @module
 */
import { createHash, timingSafeEqual } from "node:crypto";
import { BlockList, isIP } from "node:net";
import type { MiddlewareHandler } from "hono";
import { HTTPException } from "hono/http-exception";
import { type Credential, httpAddress, isLoopback } from "../http_access.ts";
import { Buckets } from "./buckets.ts";
import type { Ctx, Env, Who } from "./env.ts";
import type { Guarded } from "./parts.ts";
import { problem } from "./problem.ts";

/** Wrong credentials that an address may send at once, and then each second. */
const GUESSES = { burst: 20, perSecond: 0.5 };
const LOCAL: Who = { name: "local", role: "operator", how: "local" };
const REALM = `realm="edge-dispatcher"`;

/** Let in whom the configuration knows, and say who it is. */
export function access(parts: Guarded): MiddlewareHandler<Env> {
  const { http_auth: credentials, http, http_hosts: hosts } = parts.config;
  const knows = credentials.map(checkOf);
  const isOurs = hostCheck(httpAddress(http)?.host ?? "127.0.0.1", hosts);
  const guesses = new Buckets(parts.clock, GUESSES);
  return async (c, next) => {
    const host = hostOf(c);
    if (!isOurs(host)) {
      return problem(c, 421, `Cannot answer for host "${host}": it is not among http_hosts`);
    }
    if (credentials.length === 0) {
      // Whatever the system understood by the address.
      if (!isLoopback(c.env.address)) throw forbidden("only this machine may ask, since http_auth is empty");
      c.set("who", LOCAL);
      return await next();
    }
    const { address } = c.env;
    const seconds = guesses.wait(address);
    if (seconds > 0) return tooMany(c, seconds);
    // All are compared, so that the time does not tell which one it was.
    const [who] = knows.map((knows) => knows(c)).filter((who) => who !== undefined);
    if (!who) {
      if (c.req.header("authorization") !== undefined) guesses.take(address);
      return challenge(c, credentials);
    }
    c.set("who", who);
    await next();
  };
}

/** Whether whoever asks may act, and not only look. */
export function mayAct(c: Ctx): boolean {
  return c.var.who.role === "operator";
}

/** Refuse whoever may only look. */
export function demandOperator(c: Ctx): void {
  const { name, role } = c.var.who;
  if (!mayAct(c)) throw forbidden(`"${name}" is a ${role}, and this needs an operator`);
}

function forbidden(why: string): HTTPException {
  return new HTTPException(403, { message: `Cannot let you do this: ${why}` });
}

function tooMany(c: Ctx, seconds: number): Response {
  const detail = `Too many wrong credentials came from ${c.env.address}`;
  return problem(c, 429, detail, {}, { "Retry-After": `${Math.ceil(seconds)}` });
}

function challenge(c: Ctx, credentials: Credential[]): Response {
  const kinds = new Set(credentials.map(({ kind }) => kind));
  const offers = [
    ...kinds.has("basic") ? [`Basic ${REALM}, charset="UTF-8"`] : [],
    ...kinds.has("bearer") ? [`Bearer ${REALM}`] : [],
  ];
  // Only the proxy can send what is missing; a challenge would ask the wrong one.
  if (offers.length === 0) throw forbidden("only the proxies of http_auth may, for those whom they name");
  return problem(c, 401, "Cannot let you in: no credentials, or wrong ones", {}, {
    "WWW-Authenticate": offers.join(", "),
  });
}

type Check = (c: Ctx) => Who | undefined;

function checkOf(credential: Credential): Check {
  const { kind, role } = credential;
  if (kind === "proxy") return proxyCheck(credential);
  const name = kind === "basic" ? credential.user : credential.name;
  const expected = digest(
    kind === "basic"
      ? Buffer.from(`${credential.user}:${credential.password}`).toString("base64")
      : credential.token,
  );
  const scheme = new RegExp(`^${kind} +(\\S+) *$`, "i");
  return (c) => {
    const given = scheme.exec(c.req.header("authorization") ?? "")?.[1] ?? "";
    return timingSafeEqual(digest(given), expected) ? { name, role, how: kind } : undefined;
  };
}

/** Texts of any length as bytes of one. */
function digest(text: string): Buffer {
  return createHash("sha256").update(text).digest();
}

function proxyCheck({ header, from, role, operators }: Extract<Credential, { kind: "proxy" }>): Check {
  const trusted = new BlockList();
  for (const place of from) {
    const [address, bits] = place.split("/");
    const family = isIP(address) === 6 ? "ipv6" : "ipv4";
    if (bits === undefined) trusted.addAddress(address, family);
    else trusted.addSubnet(address, Number(bits), family);
  }
  return (c) => {
    const name = c.req.header(header)?.trim();
    const address = c.env.address.replace(/^::ffff:(?=\d+\.)/i, "");
    const family = isIP(address);
    if (!name || family === 0 || !trusted.check(address, family === 6 ? "ipv6" : "ipv4")) return undefined;
    return { name: name.slice(0, 200), role: operators.includes(name) ? "operator" : role, how: "proxy" };
  };
}

/** The host that was asked for, without its port. */
function hostOf(c: Ctx): string {
  const host = c.req.header("host") ?? new URL(c.req.url).host;
  return /^(\[[^\]]*\]|[^:]*)(:\d+)?$/.exec(host)?.[1].toLowerCase() ?? host;
}

function hostCheck(bound: string, hosts: string[]): (host: string) => boolean {
  const loopback = isLoopback(bound);
  if (!loopback && hosts.length === 0) return () => true;
  const known = new Set([bound, ...hosts].map((host) => host.toLowerCase()));
  return (host) => {
    const plain = host.replace(/^\[|\]$/g, "");
    return known.has(plain) || (loopback && (isLoopback(plain) || plain.endsWith(".localhost")));
  };
}
