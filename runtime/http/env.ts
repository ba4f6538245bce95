/**
 * What is known of a request besides itself: where it comes from, and what the doors that it passed found out.
 *
 * @module
 */
import type { Context } from "hono";
import type { Role } from "../http_access.ts";
import type { HttpParts, Remote } from "./parts.ts";

/** Who asks. */
export interface Who {
  name: string;
  role: Role;
  /** What said so; `local`: nobody asked, since only this machine reaches the address. */
  how: "local" | "basic" | "bearer" | "proxy";
}

/** Set by the doors of `app.ts`, read by whoever is behind them. */
export interface Variables {
  parts: HttpParts;
  who: Who;
  /** For `nonce="…"` of scripts and styles of this answer. */
  nonce: string;
  /** The same, under the name by which hono's headers know it. */
  secureHeadersNonce: string;
  /** Makes the token for a form of whoever asks. */
  csrf: () => string;
}

/** The environment of every part. */
export type Env = { Bindings: Remote; Variables: Variables };
/** A request on its way through them. */
export type Ctx = Context<Env>;
