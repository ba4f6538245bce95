/**
 * What the routes of the API have in common: how they are declared, how their input is refused, how they answer.
 *
 * @module
 */
import { createRoute, type Hook, OpenAPIHono, type RouteConfig, type z } from "@hono/zod-openapi";
import type { Ctx, Env } from "../env.ts";
import { problem, PROBLEM_TYPE } from "../problem.ts";
import { problemSchema } from "./schemas.ts";

export type Api = OpenAPIHono<Env>;

/** A route in short. */
interface Short<Q, P, B, H> {
  summary: string;
  tag: string;
  query?: Q;
  params?: P;
  headers?: H;
  body?: B;
  /** The body may be left out. */
  bodyOptional?: boolean;
  /** What it answers, by status. */
  answers: Readonly<Record<number, z.ZodType>>;
  /** Errors besides those of every route. */
  errors?: readonly number[];
}

/** What came, checked. */
interface Input<Q, P, B, H> {
  query: Read<Q>;
  params: Read<P>;
  body: Read<B>;
  headers: Read<H>;
}
type Read<S> = S extends z.ZodType ? z.output<S> : Record<string, never>;

/** Errors that every route may answer with. */
const COMMON = [401, 403, 421, 422, 429, 500, 503];
const SAYS: Readonly<Record<number, string>> = {
  200: "Done",
  201: "Published",
  202: "Not yet: it goes on",
  400: "The request cannot be read",
  401: "No credentials, or wrong ones",
  403: "Not for this role, or from another site",
  404: "There is none",
  409: "It cannot be done as things are",
  413: "The body is too large",
  415: "The body is not JSON",
  421: "Not by this name",
  422: "A value is not right; errors says which",
  429: "Too many requests; Retry-After says when to come again",
  500: "It failed",
  503: "The database or a node does not answer",
};

/** Add a route: the document and the checks come from the same schemas. */
export function on<
  Q extends z.ZodObject | undefined = undefined,
  P extends z.ZodObject | undefined = undefined,
  B extends z.ZodType | undefined = undefined,
  H extends z.ZodObject | undefined = undefined,
>(
  api: Api,
  method: "get" | "post",
  path: string,
  short: Short<Q, P, B, H>,
  handler: (c: Ctx, input: Input<Q, P, B, H>) => Response | Promise<Response>,
): void {
  const { summary, tag, query, params, headers, body, bodyOptional = false } = short;
  const content = body && { content: { "application/json": { schema: body } }, required: !bodyOptional };
  const request = { query, params, headers, ...content && { body: content } };
  const operationId = idOf(summary);
  const made = createRoute({
    method,
    path,
    summary,
    operationId,
    tags: [tag],
    request,
    responses: responsesOf(short),
  });
  // deno-lint-ignore no-explicit-any -- its types tie the answers to the schemas; a test does that with real ones
  (api as any).openapi(made, (c: Ctx) => {
    const valid = (target: string) => c.req.valid(target as never) ?? {};
    const input = {
      query: valid("query"),
      params: valid("param"),
      body: valid("json"),
      headers: valid("header"),
    };
    return handler(c, input as Input<Q, P, B, H>);
  });
}

function responsesOf({ answers, errors = [], body }: Short<unknown, unknown, unknown, unknown>) {
  const responses: RouteConfig["responses"] = {};
  for (const [status, schema] of Object.entries(answers)) {
    responses[status] = { description: SAYS[Number(status)], content: { "application/json": { schema } } };
  }
  for (const status of [...COMMON, ...errors, ...body ? [400, 413, 415] : []]) {
    responses[status] ??= {
      description: SAYS[status],
      content: { [PROBLEM_TYPE]: { schema: problemSchema } },
    };
  }
  return responses;
}

/** `Cancel one envelope` is `cancelOneEnvelope`. */
function idOf(summary: string): string {
  return summary.replace(/'/g, "").split(/[^a-zA-Z0-9]+/).map((word, i) =>
    i === 0 ? word.toLowerCase() : word.charAt(0).toUpperCase() + word.slice(1).toLowerCase()
  ).join("");
}

/** An empty part of the API. */
export function part(): Api {
  return new OpenAPIHono<Env>({ defaultHook: refuse });
}

/** Refuse what does not fit its schema, naming each value's place. */
const refuse: Hook<unknown, Env, string, unknown> = (result, c) => {
  if (result.success) return;
  const errors = result.error.issues.slice(0, 20).map(({ path, message }) => ({
    at: [result.target, ...path].join("."),
    message,
  }));
  const [{ at, message }] = errors;
  return problem(c as Ctx, 422, `Cannot use ${at}: ${message}`, { errors });
};
