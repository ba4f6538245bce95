/**
 * Publishing: one envelope, many, and a task that is run and waited for.
 *
 * @module
 */
import { z } from "@hono/zod-openapi";
import type { BatchCall, Client } from "../../client.ts";
import { BROADCAST_QUEUE, type PublishOptions } from "../../envelope.ts";
import { DispatcherError } from "../../errors.ts";
import type { Outcome } from "../../outcome.ts";
import { hashUuid, isUuid } from "../../uuid.ts";
import { act } from "../act.ts";
import { demandOperator } from "../access.ts";
import type { Ctx } from "../env.ts";
import { problem } from "../problem.ts";
import { type Api, on, part } from "./routes.ts";
import * as S from "./schemas.ts";

const TAG = "publishing";
/** Envelopes in one request. */
const MOST = 10_000;
/** Seconds to wait at most, and unless told. */
const WAIT = { most: 300, usual: 30 };
/** Carries the uuid of what was run. */
export const UUID_HEADER = "Dispatcher-Uuid";

const idempotency = z.object({
  "idempotency-key": z.string().min(1).max(200).optional().meta({
    description: "What is sent twice with the same key is published once; a uuid is taken as it is",
  }),
});
const wait = z.strictObject({
  wait: S.duration.optional().meta({
    description: `How long to wait, by default ${WAIT.usual}s, at most ${WAIT.most}s`,
  }),
});
type Given = z.output<typeof S.publishOptions>;

/** The part of the API that brings envelopes in. */
export function publishing(): Api {
  const api = part();
  on(api, "post", "/publish", {
    summary: "Publish",
    tag: TAG,
    headers: idempotency,
    body: z.union([S.publishCall, z.array(S.publishCall).min(1).max(MOST)]),
    answers: { 200: published, 201: published },
    errors: [409],
  }, (c, { body, headers }) => publish(c, body, headers["idempotency-key"]));
  on(api, "post", "/tasks/{path}{.+}", {
    summary: "Run a task",
    tag: TAG,
    params: z.object({ path: z.string().min(1) }),
    query: wait,
    headers: idempotency,
    body: z.union([z.array(z.unknown()), S.publishOptions]).openapi("Run"),
    bodyOptional: true,
    answers: { 200: z.unknown(), 202: S.pending },
    errors: [404, 409],
  }, (c, { params: { path }, query, body, headers }) => {
    const given = Array.isArray(body) ? { args: body } : body;
    return run(c, path, given, within(query.wait), headers["idempotency-key"]);
  });
  on(api, "get", "/envelopes/{uuid}/result", {
    summary: "Wait for a result",
    tag: TAG,
    params: z.object({ uuid: S.uuid }),
    query: wait,
    answers: { 200: z.unknown(), 202: S.pending },
    errors: [404, 409],
  }, async (c, { params: { uuid }, query }) => {
    // The whole result, and decrypted: more than looking.
    demandOperator(c);
    return await answer(
      c,
      uuid,
      within(query.wait ?? 0),
      (client, seconds, signal) => client.wait(uuid, seconds, signal),
    );
  });
  return api;
}

const published = z.union([S.published, z.strictObject({ published: z.array(S.published) })]);

function within(seconds: number = WAIT.usual): number {
  return Math.min(seconds, WAIT.most);
}

async function publish(
  c: Ctx,
  body: z.output<typeof S.publishCall> | z.output<typeof S.publishCall>[],
  key: string | undefined,
): Promise<Response> {
  const calls = [body].flat().map((call, i) => ({
    ...call,
    uuid: call.uuid ?? uuidOf(c, key, Array.isArray(body) ? i : 0),
  }));
  const tasks = [...new Set(calls.map(({ task }) => task))].join(" ");
  const sent = await act(c, "publish", tasks, async (client) => {
    const value = await put(client, calls);
    const count = value.filter(({ known, duplicate_of }) => !known && duplicate_of === null).length;
    return { value, count, detail: value.length === 1 ? { uuid: value[0].uuid } : { calls: value.length } };
  });
  const isNew = sent.some(({ known, duplicate_of }) => !known && duplicate_of === null);
  return c.json(Array.isArray(body) ? { published: sent } : sent[0], isNew ? 201 : 200);
}

async function put(
  client: Client,
  calls: z.output<typeof S.publishCall>[],
): Promise<z.output<typeof S.published>[]> {
  if (calls.length === 1 || calls.some((call) => call.volatile)) {
    return await Promise.all(calls.map(async ({ task, args, ...options }) => {
      const { uuid, queue, known, duplicateOf } = await client.publish(task, args, {
        ...optionsOf(options),
        watch: undefined,
      });
      return { uuid, queue, known, duplicate_of: duplicateOf };
    }));
  }
  const batch: BatchCall[] = calls.map(({ task, args, ...options }) => ({
    task,
    args,
    ...optionsOf(options),
  }));
  return (await client.publishMany(batch)).map(({ uuid, known, duplicateOf }, i) => ({
    uuid,
    queue: batch[i].queue ?? "default",
    known,
    duplicate_of: duplicateOf,
  }));
}

async function run(
  c: Ctx,
  task: string,
  given: Given,
  seconds: number,
  key: string | undefined,
): Promise<Response> {
  const { args, ...options } = { ...given, uuid: given.uuid ?? uuidOf(c, key, 0) };
  const sent = await act(c, "run", task, async (client) => {
    const value = await client.publish(task, args, optionsOf(options));
    return { value, count: value.known || value.duplicateOf !== null ? 0 : 1, detail: { uuid: value.uuid } };
  });
  const uuid = sent.duplicateOf ?? sent.uuid;
  return await answer(
    c,
    uuid,
    seconds,
    (client, seconds, signal) =>
      sent.queue === BROADCAST_QUEUE
        ? client.waitAll(uuid, seconds, signal)
        : client.wait(uuid, seconds, signal, options.volatile),
  );
}

function optionsOf({ args: _, max_attempts, on_duplicate, ...options }: Given): PublishOptions {
  return { ...options, maxAttempts: max_attempts, onDuplicate: on_duplicate };
}

/** A key is its sender's own: the same from two senders is two. */
function uuidOf(c: Ctx, key: string | undefined, i: number): string | undefined {
  if (key === undefined) return undefined;
  if (isUuid(key) && i === 0) return key;
  return hashUuid(`${c.var.who.how} ${c.var.who.name} ${i} ${key}`);
}

/** Wait, and answer with the result; with 202 when it takes longer, or the node ends. */
async function answer(
  c: Ctx,
  uuid: string,
  seconds: number,
  wait: (client: Client, seconds: number, signal: AbortSignal) => Promise<Outcome>,
): Promise<Response> {
  const { client: open, closing } = c.var.parts;
  const client = await open();
  c.header(UUID_HEADER, uuid);
  try {
    const signal = AbortSignal.any([closing, c.req.raw.signal]);
    return outcomeAnswer(c, await wait(client, seconds, signal));
  } catch (error) {
    const late = error instanceof DispatcherError && error.code === "timeout";
    if (!late && !closing.aborted && !c.req.raw.signal.aborted) throw error;
    const [row] = await client.list({ uuid, limit: 1 });
    const base = c.var.parts.config.http_base_path.replace(/\/$/, "");
    c.header("Location", `${base}/api/envelopes/${uuid}/result`);
    return c.json({ uuid, state: row?.state ?? "available" }, 202);
  }
}

function outcomeAnswer(c: Ctx, { uuid, state, result, error }: Outcome): Response {
  if (state === "completed") return c.json(result ?? null);
  const { name = "Error", message = "" } = error ?? {};
  const detail = `Envelope ${uuid} was ${state}${error ? `: ${name}: ${message}` : ""}`;
  const extra = {
    code: state === "cancelled" ? "cancelled" : "task_failed",
    uuid,
    state,
    error: { name, message },
  };
  return problem(c, state === "cancelled" ? 409 : 500, detail, extra);
}
