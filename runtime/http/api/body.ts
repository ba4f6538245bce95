/**
 * How large a body may be. Not hono's own limit: it makes the request anew from itself, which the request of
 * `@hono/node-server` (2.1.9) does not survive; every POST of curl without a body failed so.
 *
 * @module
 */
import type { MiddlewareHandler } from "hono";
import type { Ctx, Env } from "../env.ts";
import { problem } from "../problem.ts";

/** Refuse a body of more bytes, by what it says or, where it does not say, by what comes. */
export function bodyLimit(most: number): MiddlewareHandler<Env> {
  return async (c, next) => {
    const tooLarge = () => problem(c, 413, `Cannot take this body: it has over ${most} bytes`);
    const length = c.req.header("content-length");
    if (length !== undefined && c.req.header("transfer-encoding") === undefined) {
      if (Number(length) > most) return tooLarge();
    } else if (c.req.raw.body) {
      // In HTTP/2 neither has to be there.
      const body = await read(c, most);
      if (!body) return tooLarge();
      const { url, method, headers } = c.req.raw;
      c.req.raw = new Request(url, { method, headers, body });
    }
    await next();
  };
}

async function read(c: Ctx, most: number): Promise<Blob | undefined> {
  const chunks: Uint8Array<ArrayBuffer>[] = [];
  let size = 0;
  const reader = c.req.raw.body?.getReader();
  for (;;) {
    const { done = true, value } = await reader?.read() ?? {};
    if (done || !value) return new Blob(chunks);
    size += value.byteLength;
    if (size > most) return undefined;
    chunks.push(value as Uint8Array<ArrayBuffer>);
  }
}
