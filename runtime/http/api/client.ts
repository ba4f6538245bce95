/**
 * A client of the HTTP API, for browsers and every runtime: it needs `fetch` and nothing else.
 *
 * @module
 */
import type * as T from "./types.ts";

/** Where the API is and who asks. */
export interface HttpClientOptions {
  /** Of the node, with the path in front if there is one: `http://127.0.0.1:8070`. */
  url: string;
  /** Of a bearer credential. */
  token?: string;
  /** Of a basic credential; in a page of the node's own the browser has it. */
  basic?: { user: string; password: string };
  /** Instead of the global one. */
  fetch?: (url: string, init: RequestInit) => Promise<Response>;
}

/** What the API refused or could not do. */
export class HttpProblem extends Error {
  readonly status: number;
  /** The code of the error, such as `not_found`. */
  readonly code: string;
  /** All that was answered. */
  readonly problem: T.Problem;

  constructor(problem: T.Problem) {
    super(problem.detail);
    this.name = "HttpProblem";
    this.status = problem.status;
    this.code = problem.code;
    this.problem = problem;
  }
}

/** Uuids or their first digits, or a filter. */
export type Selection = string | string[] | { filter: T.Filter };

/** How long to wait, and until when. */
export interface WaitOptions {
  /** Seconds, by default 300. */
  within?: number;
  signal?: AbortSignal;
}

interface Request {
  query?: Record<string, string | number | string[] | undefined>;
  body?: unknown;
  headers?: Record<string, string>;
  signal?: AbortSignal;
}

/** Seconds that one request waits: proxies cut longer ones off. */
const ONE_WAIT = 25;
const WAIT_SECONDS = 300;

/** The API of one node; what it does holds for the whole cluster. */
export class HttpClient {
  readonly #options: HttpClientOptions;

  constructor(options: HttpClientOptions) {
    this.#options = options;
  }

  /** Publish one envelope. With a `key`, what is sent twice is published once. */
  publish(
    task: string,
    args: unknown[] = [],
    options: T.PublishOptions = {},
    key?: string,
  ): Promise<T.Published> {
    return this.#post("/publish", { body: { task, args, ...options }, headers: keyed(key) });
  }

  /** Publish up to 10,000 in one request. */
  async publishMany(calls: T.Call[], key?: string): Promise<T.Published[]> {
    const { published } = await this.#post<{ published: T.Published[] }>("/publish", {
      body: calls,
      headers: keyed(key),
    });
    return published;
  }

  /**
   * Run a task and wait for its result.
   *
   * @throws {HttpProblem} `task_failed` or `cancelled` with the error's name and message in `problem.error`; `timeout`.
   */
  async run<R = unknown>(
    task: string,
    args: unknown[] = [],
    { within = WAIT_SECONDS, signal, ...options }: T.PublishOptions & WaitOptions = {},
  ): Promise<R> {
    const first = Math.min(within, ONE_WAIT);
    const answer = await this.#send("POST", `/tasks/${task.split("/").map(encodeURIComponent).join("/")}`, {
      query: { wait: first },
      body: { args, ...options },
      signal,
    });
    if (answer.status !== 202) return await answer.json();
    const { uuid } = await answer.json();
    return await this.result(uuid, { within: within - first, signal });
  }

  /** Wait for the result of an envelope; fails like {@link run}. */
  async result<R = unknown>(uuid: string, { within = WAIT_SECONDS, signal }: WaitOptions = {}): Promise<R> {
    const end = performance.now() + within * 1000;
    for (;;) {
      const wait = Math.max(0, Math.min((end - performance.now()) / 1000, ONE_WAIT));
      const answer = await this.#send("GET", `/envelopes/${uuid}/result`, {
        query: { wait: wait.toFixed(3) },
        signal,
      });
      if (answer.status !== 202) return await answer.json();
      await answer.body?.cancel();
      signal?.throwIfAborted();
      if (performance.now() < end) continue;
      const detail = `Waited ${within} s for "${uuid}" in vain`;
      throw new HttpProblem({ type: "about:blank", title: "Timeout", status: 504, detail, code: "timeout" });
    }
  }

  /** One page of envelopes, newest first; `next` begins the page behind it. */
  list(filter: T.ListFilter = {}): Promise<{ envelopes: T.ListedEnvelope[]; next: string | null }> {
    return this.#get("/envelopes", { ...filter });
  }

  /** One envelope, or each node's copy of a broadcast. */
  async show(uuid: string): Promise<T.Envelope[]> {
    return (await this.#get<{ envelopes: T.Envelope[] }>(`/envelopes/${uuid}`)).envelopes;
  }

  cancel(selection: Selection): Promise<T.Acted> {
    return this.#act("cancel", selection);
  }

  retry(selection: Selection): Promise<T.Acted> {
    return this.#act("retry", selection);
  }

  discard(selection: Selection, reason?: string): Promise<T.Acted> {
    return this.#act("discard", selection, reason);
  }

  #act(verb: string, selection: Selection, reason?: string): Promise<T.Acted> {
    if (typeof selection === "string") {
      return this.#post(`/envelopes/${selection}/${verb}`, { body: { reason } });
    }
    const chosen = Array.isArray(selection) ? { uuids: selection } : selection;
    return this.#post(`/envelopes/${verb}`, { body: { ...chosen, reason } });
  }

  async nodes(): Promise<T.Node[]> {
    return (await this.#get<{ nodes: T.Node[] }>("/nodes")).nodes;
  }

  /** Claim nothing more; what runs goes on. */
  drain(node: string): Promise<T.Reply> {
    return this.#post(`/nodes/${encodeURIComponent(node)}/drain`);
  }

  /** Claim again. */
  resume(node: string): Promise<T.Reply> {
    return this.#post(`/nodes/${encodeURIComponent(node)}/resume`);
  }

  scale(node: string, min: number, max: number): Promise<T.Reply> {
    return this.#post(`/nodes/${encodeURIComponent(node)}/scale`, { body: { min, max } });
  }

  logLevel(node: string, level: "debug" | "info" | "warning" | "error"): Promise<T.Reply> {
    return this.#post(`/nodes/${encodeURIComponent(node)}/log-level`, { body: { level } });
  }

  async queues(): Promise<T.Queue[]> {
    return (await this.#get<{ queues: T.Queue[] }>("/queues")).queues;
  }

  /** False when it is paused already. */
  async pauseQueue(queue: string): Promise<boolean> {
    return (await this.#post<{ changed: boolean }>(`/queues/${encodeURIComponent(queue)}/pause`)).changed;
  }

  async resumeQueue(queue: string): Promise<boolean> {
    return (await this.#post<{ changed: boolean }>(`/queues/${encodeURIComponent(queue)}/resume`)).changed;
  }

  /** Cancel all that waits in it; returns how many. */
  async purgeQueue(queue: string): Promise<number> {
    return (await this.#post<{ purged: number }>(`/queues/${encodeURIComponent(queue)}/purge`)).purged;
  }

  async schedules(): Promise<T.Schedule[]> {
    return (await this.#get<{ schedules: T.Schedule[] }>("/schedules")).schedules;
  }

  runSchedule(name: string): Promise<T.Published> {
    return this.#post(`/schedules/${encodeURIComponent(name)}/run`);
  }

  async pauseSchedule(name: string): Promise<void> {
    await this.#post(`/schedules/${encodeURIComponent(name)}/pause`);
  }

  async resumeSchedule(name: string): Promise<void> {
    await this.#post(`/schedules/${encodeURIComponent(name)}/resume`);
  }

  /** What was discarded, by task and error. */
  async failures(
    filter: { queue?: string; task?: string; within?: string | number; limit?: number } = {},
  ): Promise<T.Failure[]> {
    return (await this.#get<{ failures: T.Failure[] }>("/failures", filter)).failures;
  }

  /** What was done over HTTP, the latest first. */
  audit(
    filter: { who?: string; action?: string; limit?: number; before?: number } = {},
  ): Promise<{ records: T.AuditRecord[]; next: number | null }> {
    return this.#get("/audit", filter);
  }

  async #get<R>(path: string, query: Request["query"] = {}): Promise<R> {
    return await (await this.#send("GET", path, { query })).json();
  }

  async #post<R>(path: string, request: Request = {}): Promise<R> {
    return await (await this.#send("POST", path, request)).json();
  }

  async #send(
    method: string,
    path: string,
    { query = {}, body, headers, signal }: Request,
  ): Promise<Response> {
    const { url, fetch = globalThis.fetch } = this.#options;
    const search = new URLSearchParams();
    for (const [key, value] of Object.entries(query)) if (value !== undefined) search.set(key, String(value));
    const init: RequestInit = { method, headers: { ...this.#credentials(), ...headers }, signal };
    if (body !== undefined) {
      init.body = JSON.stringify(body);
      init.headers = { ...init.headers, "Content-Type": "application/json" };
    }
    const asked = search.size > 0 ? `${path}?${search}` : path;
    const answer = await fetch(`${url.replace(/\/$/, "")}/api${asked}`, init);
    if (answer.ok) return answer;
    throw new HttpProblem(await problemOf(answer));
  }

  #credentials(): Record<string, string> {
    const { token, basic } = this.#options;
    if (token !== undefined) return { Authorization: `Bearer ${token}` };
    if (basic === undefined) return {};
    const bytes = new TextEncoder().encode(`${basic.user}:${basic.password}`);
    return { Authorization: `Basic ${btoa(String.fromCharCode(...bytes))}` };
  }
}

/**
 * Make a client of the HTTP API.
 *
 * @example
 * ```ts ignore
 * import { httpClient } from "edge-dispatcher/http";
 *
 * const client = httpClient({ url: "http://127.0.0.1:8070" });
 * await client.run("examples/add", [1, 1]); // 2
 * ```
 */
export function httpClient(options: HttpClientOptions): HttpClient {
  return new HttpClient(options);
}

function keyed(key: string | undefined): Record<string, string> {
  return key === undefined ? {} : { "Idempotency-Key": key };
}

/** What is between the two may answer too, with anything. */
async function problemOf(answer: Response): Promise<T.Problem> {
  const text = await answer.text();
  try {
    const problem = JSON.parse(text);
    if (typeof problem.detail === "string") return problem;
  } catch {
    // Not ours.
  }
  const { status, statusText: title } = answer;
  return {
    type: "about:blank",
    title,
    status,
    detail: text.slice(0, 200) || `It answered ${status}`,
    code: "failed",
  };
}
