/**
 * What is around the envelopes: nodes, queues, schedules, failures, and the audit.
 *
 * @module
 */
import { z } from "@hono/zod-openapi";
import type { Client } from "../../client.ts";
import { DispatcherError } from "../../errors.ts";
import { redact } from "../../redact.ts";
import { act, type Action } from "../act.ts";
import type { Ctx } from "../env.ts";
import { type Api, on, part } from "./routes.ts";
import * as S from "./schemas.ts";

/** Seconds that a node has to answer a command. */
const ANSWER_SECONDS = 5;
const named = z.object({ name: z.string().min(1) });

/** The part of the API about the cluster. */
export function cluster(): Api {
  const api = part();
  nodes(api);
  queues(api);
  schedules(api);
  records(api);
  return api;
}

function nodes(api: Api): void {
  on(api, "get", "/nodes", {
    summary: "List nodes",
    tag: "nodes",
    answers: { 200: z.strictObject({ nodes: z.array(S.node) }) },
  }, async (c) => {
    const rows = await (await c.var.parts.client()).nodes();
    // What names the process for ever is of no use to others.
    return c.json({ nodes: rows.map(({ boot: _, ...row }) => row) });
  });
  for (const verb of ["drain", "resume"] as const) {
    on(api, "post", `/nodes/{name}/${verb}`, {
      summary: verb === "drain" ? "Drain a node" : "Resume a node",
      tag: "nodes",
      params: named,
      answers: { 200: S.reply },
      errors: [404, 409],
    }, (c, { params: { name } }) => command(c, name, verb === "drain" ? "drain" : "node_resume", verb, {}));
  }
  on(api, "post", "/nodes/{name}/scale", {
    summary: "Scale a node",
    tag: "nodes",
    params: named,
    body: S.scaleBody,
    answers: { 200: S.reply },
    errors: [404, 409],
  }, (c, { params: { name }, body }) => command(c, name, "scale", "scale", body));
  on(api, "post", "/nodes/{name}/log-level", {
    summary: "Set a node's log level",
    tag: "nodes",
    params: named,
    body: S.levelBody,
    answers: { 200: S.reply },
    errors: [404, 409],
  }, (c, { params: { name }, body }) => command(c, name, "log_level", "set_log_level", body));
}

/** Tell a node, and answer with what it says. */
async function command(
  c: Ctx,
  name: string,
  action: Action,
  control: string,
  data: Record<string, unknown>,
): Promise<Response> {
  const reply = await act(c, action, name, async (client) => {
    await checkNode(client, name, control);
    const [reply] = await client.control(control, data, {
      channel: name,
      expected: 1,
      timeout: ANSWER_SECONDS,
    });
    const cannot = `Cannot ${control} node "${name}"`;
    if (!reply) {
      throw new DispatcherError("unavailable", `${cannot}: it did not answer in ${ANSWER_SECONDS} s`);
    }
    if (typeof reply.error === "string") throw new DispatcherError("refused", `${cannot}: ${reply.error}`);
    return { value: reply, detail: data };
  });
  return c.json(reply);
}

async function checkNode(client: Client, name: string, control: string): Promise<void> {
  const node = (await client.nodes()).find((node) => node.name === name);
  if (!node) throw new DispatcherError("not_found", `Cannot ${control} node "${name}": there is none`);
  if (!node.alive) throw new DispatcherError("refused", `Cannot ${control} node "${name}": it is not alive`);
}

function queues(api: Api): void {
  on(api, "get", "/queues", {
    summary: "List queues",
    tag: "queues",
    answers: { 200: z.strictObject({ queues: z.array(S.queue) }) },
  }, async (c) => c.json({ queues: await (await c.var.parts.client()).queues() }));
  for (const verb of ["pause", "resume"] as const) {
    on(api, "post", `/queues/{name}/${verb}`, {
      summary: verb === "pause" ? "Pause a queue" : "Resume a queue",
      tag: "queues",
      params: named,
      answers: { 200: S.changed },
      errors: [400],
    }, async (c, { params: { name } }) => {
      const changed = await act(c, verb, name, async (client) => {
        const value = await (verb === "pause" ? client.pauseQueue(name) : client.resumeQueue(name));
        return { value, count: value ? 1 : 0 };
      });
      return c.json({ changed });
    });
  }
  on(api, "post", "/queues/{name}/purge", {
    summary: "Purge a queue",
    tag: "queues",
    params: named,
    answers: { 200: S.purged },
  }, async (c, { params: { name } }) => {
    const purged = await act(c, "purge", name, async (client) => {
      const value = await client.purgeQueue(name);
      return { value, count: value };
    });
    return c.json({ purged });
  });
}

function schedules(api: Api): void {
  on(api, "get", "/schedules", {
    summary: "List schedules",
    tag: "schedules",
    answers: { 200: z.strictObject({ schedules: z.array(S.schedule) }) },
  }, async (c) => {
    const rows = await (await c.var.parts.client()).schedules();
    return c.json({ schedules: rows.map(({ kwargs: _, ...row }) => ({ ...row, args: redact(row.args) })) });
  });
  on(api, "post", "/schedules/{name}/run", {
    summary: "Run a schedule",
    tag: "schedules",
    params: named,
    answers: { 201: S.published },
    errors: [404, 409],
  }, async (c, { params: { name } }) => {
    const { uuid, queue, known, duplicateOf } = await act(c, "schedule_run", name, async (client) => {
      const value = await client.runSchedule(name);
      return { value, detail: { uuid: value.uuid } };
    });
    return c.json({ uuid, queue, known, duplicate_of: duplicateOf }, 201);
  });
  for (const verb of ["pause", "resume"] as const) {
    on(api, "post", `/schedules/{name}/${verb}`, {
      summary: verb === "pause" ? "Pause a schedule" : "Resume a schedule",
      tag: "schedules",
      params: named,
      answers: { 200: z.strictObject({ enabled: z.boolean() }) },
      errors: [404, 409],
    }, async (c, { params: { name } }) => {
      const enabled = verb === "resume";
      await act(c, `schedule_${verb}`, name, async (client) => ({
        value: await client.enableSchedule(name, enabled),
      }));
      return c.json({ enabled });
    });
  }
}

function records(api: Api): void {
  on(api, "get", "/failures", {
    summary: "List failures",
    tag: "failures",
    query: S.failureQuery,
    answers: { 200: z.strictObject({ failures: z.array(S.failure) }) },
  }, async (c, { query: { within, ...filter } }) => {
    const client = await c.var.parts.client();
    return c.json({ failures: await client.failures({ ...filter, withinSeconds: within }) });
  });
  on(api, "get", "/audit", {
    summary: "List audit records",
    tag: "audit",
    query: S.auditQuery,
    answers: { 200: z.strictObject({ records: z.array(S.auditRow), next: z.number().nullable() }) },
  }, async (c, { query }) => {
    const records = await (await c.var.parts.client()).audits(query);
    const next = records.length < query.limit ? null : records[records.length - 1].id;
    return c.json({ records, next });
  });
}
