/**
 * Envelopes: look at them, and act on one, on several, or on all that a filter finds.
 *
 * @module
 */
import { z } from "@hono/zod-openapi";
import { type ActRule, CANCEL, DISCARD, RETRY } from "../../acts.ts";
import type { Client } from "../../client.ts";
import { DispatcherError } from "../../errors.ts";
import { shownRow } from "../../redact.ts";
import type { EnvelopeRow } from "../../store/store.ts";
import { act } from "../act.ts";
import type { Ctx } from "../env.ts";
import { type Api, on, part } from "./routes.ts";
import * as S from "./schemas.ts";

const TAG = "envelopes";
/** Before the largest there can be. */
const FIRST_PAGE = "ffffffff-ffff-ffff-ffff-ffffffffffff";
/** Envelopes in one statement. */
const BATCH = 500;

type Verb = "cancel" | "retry" | "discard";
interface Done {
  uuid: string;
  did: string;
  node: string | null;
}

const VERBS: Readonly<
  Record<Verb, ActRule & { run(client: Client, uuids: string[], why?: string): Promise<Done[]> }>
> = {
  cancel: { ...CANCEL, run: (client, uuids) => client.cancel(uuids) },
  retry: { ...RETRY, run: (client, uuids) => client.retry(uuids) },
  discard: { ...DISCARD, run: (client, uuids, why) => client.discard(uuids, why) },
};

/** The part of the API about envelopes. */
export function envelopes(): Api {
  const api = part();
  looking(api);
  for (const verb of Object.keys(VERBS) as Verb[]) acting(api, verb);
  return api;
}

function looking(api: Api): void {
  on(api, "get", "/envelopes", {
    summary: "List envelopes",
    tag: TAG,
    query: S.listQuery,
    answers: { 200: z.strictObject({ envelopes: z.array(S.listedEnvelope), next: z.string().nullable() }) },
    errors: [404],
  }, async (c, { query: { fields = S.FIELDS, limit, older, before, ...filter } }) => {
    const client = await c.var.parts.client();
    const rows = await client.list({ ...filter, limit, olderSeconds: older, before: before ?? FIRST_PAGE });
    if (rows.length === 0 && before) await client.find(before, "list behind");
    const next = rows.length < limit ? null : rows[rows.length - 1].uuid;
    return c.json({ envelopes: rows.map((row) => shown(row, ["uuid", ...fields])), next });
  });
  on(api, "get", "/envelopes/{uuid}", {
    summary: "Show an envelope",
    tag: TAG,
    params: z.object({ uuid: S.prefix }),
    answers: { 200: z.strictObject({ envelopes: z.array(S.envelope) }) },
    errors: [404, 409],
  }, async (c, { params: { uuid } }) => {
    const client = await c.var.parts.client();
    const rows = await client.find(uuid, "show", { log: true });
    const reasons = new Map((await whyOf(client, rows)).map(({ uuid, why }) => [uuid, why]));
    return c.json({
      envelopes: rows.map((row) => ({ ...shown(row, S.FIELDS), why: reasons.get(row.uuid) ?? [] })),
    });
  });
}

/** An entry of the broadcast log that no node has taken has nobody who could explain it. */
async function whyOf(client: Client, rows: EnvelopeRow[]): ReturnType<Client["why"]> {
  return (await Promise.all(rows.map((row) =>
    client.why(row.uuid).catch((error) => {
      if (error instanceof DispatcherError && error.code === "not_found") return [];
      throw error;
    })
  ))).flat();
}

function shown(row: EnvelopeRow, fields: readonly string[]): Record<string, unknown> {
  const all = shownRow(row) as Record<string, unknown>;
  return Object.fromEntries(fields.map((field) => [field, all[field] ?? null]));
}

function acting(api: Api, verb: Verb): void {
  const one =
    { cancel: "Cancel an envelope", retry: "Retry an envelope", discard: "Discard an envelope" }[verb];
  const many = { cancel: "Cancel envelopes", retry: "Retry envelopes", discard: "Discard envelopes" }[verb];
  on(api, "post", `/envelopes/{uuid}/${verb}`, {
    summary: one,
    tag: TAG,
    params: z.object({ uuid: S.prefix }),
    body: S.reasonBody,
    bodyOptional: true,
    answers: { 200: S.acted },
    errors: [404, 409],
  }, (c, { params, body }) => actOn(c, verb, { uuids: [params.uuid], ...body }));
  on(api, "post", `/envelopes/${verb}`, {
    summary: many,
    tag: TAG,
    body: S.actBody,
    answers: { 200: S.acted },
    errors: [404, 409],
  }, (c, { body }) => actOn(c, verb, body));
}

async function actOn(c: Ctx, verb: Verb, selection: z.output<typeof S.actBody>): Promise<Response> {
  const target = "uuids" in selection ? selection.uuids.join(" ") : JSON.stringify(selection.filter);
  const answer = await act(c, verb, target, async (client) => {
    const value = await perform(client, verb, selection);
    return { value, count: value.changed, detail: { did: value.did } };
  });
  return c.json(answer);
}

async function perform(
  client: Client,
  verb: Verb,
  selection: z.output<typeof S.actBody>,
): Promise<z.output<typeof S.acted>> {
  const { states, changes, run } = VERBS[verb];
  const chosen = await chosenBy(client, verb, selection);
  const results: Done[] = [];
  // Told apart before: of what is done now and of what was so already, the store says the same word.
  const able = chosen.filter(({ state }) => states.includes(state)).map(({ uuid }) => uuid);
  for (let at = 0; at < able.length; at += BATCH) {
    results.push(...await run(client, able.slice(at, at + BATCH), selection.reason));
  }
  const changed = results.filter(({ did }) => changes.includes(did)).length;
  for (const { uuid, state } of chosen) {
    if (!states.includes(state)) results.push({ uuid, did: `already ${state}`, node: null });
  }
  const did: Record<string, number> = {};
  for (const result of results) did[result.did] = (did[result.did] ?? 0) + 1;
  const named = "uuids" in selection ? results.map(({ uuid, did, node }) => ({ uuid, did, node })) : [];
  return { changed, did, results: named };
}

async function chosenBy(
  client: Client,
  verb: Verb,
  selection: z.output<typeof S.actBody>,
): Promise<Pick<EnvelopeRow, "uuid" | "state">[]> {
  if ("uuids" in selection) {
    const found = await Promise.all(selection.uuids.map((uuid) => client.find(uuid, verb)));
    return [...new Map(found.flat().map((row) => [row.uuid, row])).values()];
  }
  const { older, ...filter } = selection.filter;
  return await client.matching({
    ...filter,
    olderSeconds: older,
    state: filter.state ?? [...VERBS[verb].usual],
  });
}
