/**
 * The API inside of the test's own process: whatever it answers is held against the schemas of its document.
 *
 * @module
 */
import assert from "node:assert/strict";
import type { z } from "zod";
import { api } from "../../runtime/http/api/api.ts";
import { problemSchema } from "../../runtime/http/api/schemas.ts";
import type { TestContext } from "../harness.ts";
import { type Ask, clientFor, site, type SiteOptions } from "./site.ts";

/** An answer that fits its schema. */
export interface Answer {
  status: number;
  headers: Headers;
  // deno-lint-ignore no-explicit-any -- a test says what it expects
  body: any;
}

interface Route {
  method: string;
  path: string;
  operationId: string;
  responses: Record<string, { content?: Record<string, { schema: z.ZodType }> }>;
}

/** Operations that have answered well, by id; a test looks at all in the end. */
export const answered: Set<string> = new Set();

/** The routes of the document. */
export function routesOf(parts: Parameters<typeof api>[0]): Route[] {
  return api(parts).openAPIRegistry.definitions.flatMap((one) =>
    one.type === "route" ? [one.route as never] : []
  );
}

const patternOf = (path: string) =>
  new RegExp(`^/api${path.replace("{path}{.+}", ".+").replace(/\{\w+\}/g, "[^/]+")}$`);

/** Hold an answer against the schema of its operation. */
export function checker(routes: Route[]) {
  return async (method: string, path: string, answer: Response): Promise<Answer> => {
    const { pathname } = new URL(path, "http://x");
    const found = routes.filter((one) =>
      one.method === method.toLowerCase() && patternOf(one.path).test(pathname)
    );
    // Of two that fit, the one that says more, such as a word where the other has a parameter.
    const route = found.sort((a, b) => a.path.split("{").length - b.path.split("{").length)[0];
    assert.ok(route, `${method} ${path} is in no document`);
    const { status, headers } = answer;
    const said = route.responses[status];
    assert.ok(
      said,
      `${route.operationId} does not say that it answers ${status}: ${await answer.clone().text()}`,
    );
    const type = headers.get("content-type")!.split(";")[0];
    const schema = said.content?.[type]?.schema;
    assert.ok(schema, `${route.operationId} does not say that it answers ${status} as ${type}`);
    const body = await answer.json();
    const parsed = schema.safeParse(body);
    assert.ok(
      parsed.success,
      `${route.operationId} ${status}: ${parsed.error?.message} in ${JSON.stringify(body)}`,
    );
    if (status < 300) answered.add(route.operationId);
    else assert.equal(problemSchema.parse(body).status, status);
    return { status, headers, body };
  };
}

/** The API over a database of its own. */
export async function apiSite(t: TestContext, config: SiteOptions["config"] = {}) {
  const { client, url } = await clientFor(t);
  const made = await site({ client, config });
  const check = checker(routesOf(made.parts));
  const ask = async (method: string, path: string, init: Ask) =>
    await check(method, path, await made.ask(path, { ...init, method }));
  return {
    ...made,
    client,
    url,
    get: (path: string, init: Ask = {}) => ask("GET", path, init),
    post: (path: string, body?: unknown, init: Ask = {}) => {
      const json: Record<string, string> = body === undefined ? {} : { "content-type": "application/json" };
      const text = body === undefined ? undefined : JSON.stringify(body);
      return ask("POST", path, {
        ...init,
        body: text,
        headers: { ...json, ...init.headers as Record<string, string> },
      });
    },
  };
}
