/**
 * The headers that keep a page from being framed, sniffed, cached or made to run what is not ours.
 *
 * @module
 */
import type { MiddlewareHandler } from "hono";
import { NONCE, secureHeaders } from "hono/secure-headers";
import type { Env } from "./env.ts";

/** Scripts and styles run with the nonce of their answer (`c.var.nonce`), or as files of ours. */
export function headers(): MiddlewareHandler<Env> {
  const secure = secureHeaders({
    contentSecurityPolicy: {
      defaultSrc: ["'none'"],
      scriptSrc: ["'self'", NONCE],
      styleSrc: ["'self'", NONCE],
      imgSrc: ["'self'", "data:"],
      fontSrc: ["'self'"],
      connectSrc: ["'self'"],
      manifestSrc: ["'self'"],
      formAction: ["'self'"],
      baseUri: ["'none'"],
      frameAncestors: ["'none'"],
    },
    xFrameOptions: "DENY",
    referrerPolicy: "same-origin",
    // Where there is TLS, a proxy does it and knows for how long.
    strictTransportSecurity: false,
  });
  return async (c, next) => {
    await secure(c, async () => {
      c.set("nonce", c.var.secureHeadersNonce);
      await next();
    });
    // What a cluster does is nobody's to keep, unless a file of ours says otherwise.
    if (!c.res.headers.has("Cache-Control")) c.res.headers.set("Cache-Control", "no-store");
  };
}
