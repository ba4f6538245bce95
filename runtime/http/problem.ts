/**
 * Errors as answers: problem details (RFC 9457), with the same codes as everywhere else.
 *
 * @module
 */
import type { ErrorHandler, NotFoundHandler } from "hono";
import { HTTPException } from "hono/http-exception";
import type { ContentfulStatusCode } from "hono/utils/http-status";
import { DispatcherError, type ErrorCode, errorLine } from "../errors.ts";
import type { Ctx, Env } from "./env.ts";

export const PROBLEM_TYPE = "application/problem+json";

const STATUS: Readonly<Record<ErrorCode, ContentfulStatusCode>> = {
  usage: 400,
  invalid_args: 422,
  invalid_envelope: 422,
  invalid_queue: 422,
  invalid_task: 422,
  not_found: 404,
  ambiguous: 409,
  refused: 409,
  name_taken: 409,
  stale: 409,
  task_failed: 500,
  config: 500,
  schema_newer: 500,
  unavailable: 503,
  timeout: 504,
};

/** Of errors that are the protocol's rather than the dispatcher's. */
const CODE: Readonly<Record<number, string>> = {
  400: "usage",
  401: "unauthorized",
  403: "forbidden",
  404: "not_found",
  405: "method_not_allowed",
  413: "too_large",
  415: "unsupported_media_type",
  421: "misdirected",
  422: "invalid",
  429: "too_many_requests",
};

const TITLE: Readonly<Record<number, string>> = {
  400: "Bad Request",
  401: "Unauthorized",
  403: "Forbidden",
  404: "Not Found",
  405: "Method Not Allowed",
  409: "Conflict",
  413: "Content Too Large",
  415: "Unsupported Media Type",
  421: "Misdirected Request",
  422: "Unprocessable Content",
  429: "Too Many Requests",
  500: "Internal Server Error",
  503: "Service Unavailable",
  504: "Gateway Timeout",
};

/** Seconds after which to try again what is away. */
const RETRY_SECONDS = "5";

/** The body of an error. */
export interface Problem {
  type: string;
  title: string;
  status: number;
  detail: string;
  /** The code of the error, for programs. */
  code: string;
  [extension: string]: unknown;
}

/** Answer with problem details; `extra` adds members. */
export function problem(
  c: Ctx,
  status: ContentfulStatusCode,
  detail: string,
  extra: Record<string, unknown> = {},
  headers: Record<string, string> = {},
): Response {
  const title = TITLE[status] ?? "Error";
  const code = CODE[status] ?? "failed";
  const body: Problem = { type: "about:blank", title, status, detail, code, ...extra };
  return c.body(JSON.stringify(body), status, { "Content-Type": PROBLEM_TYPE, ...headers });
}

/** The status that says what kind of error it is. */
export function statusOf(error: unknown): ContentfulStatusCode {
  if (error instanceof DispatcherError) return STATUS[error.code];
  return error instanceof HTTPException ? error.status as ContentfulStatusCode : 500;
}

/** Every error that reaches the top, as an answer. What is not thrown on purpose is told to the log only. */
export const onError: ErrorHandler<Env> = (error, c) => {
  if (error instanceof DispatcherError) return ofOurs(c, error);
  if (error instanceof HTTPException) {
    return problem(
      c,
      error.status as ContentfulStatusCode,
      error.message || (TITLE[error.status] ?? "Error"),
    );
  }
  const { method, path } = c.req;
  c.get("parts")?.events.emit("error", "http.failed", `${method} ${path} failed: ${errorLine(error)}`);
  return problem(c, 500, `Cannot answer ${method} ${path}: see the log of this node`);
};

function ofOurs(c: Ctx, error: DispatcherError): Response {
  const { code, message } = error;
  const headers: Record<string, string> = code === "unavailable" ? { "Retry-After": RETRY_SECONDS } : {};
  return problem(c, STATUS[code], message, { code }, headers);
}

/** What is not there. */
export const notFound: NotFoundHandler<Env> = (c) =>
  problem(c, 404, `Cannot answer ${c.req.method} ${c.req.path}: nothing is there`);
