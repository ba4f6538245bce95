/**
 * One envelope: where it is on its way, each attempt, what it was given and what it gave.
 *
 * @module
 */
import type { NodeStatus } from "../../../control/node_status.ts";
import { DispatcherError } from "../../../errors.ts";
import { redact } from "../../../redact.ts";
import { resourcesWords } from "../../../resources.ts";
import { isFinal } from "../../../state.ts";
import type { EnvelopeRow } from "../../../store/store.ts";
import { demandIn } from "../../../why_resources.ts";
import {
  askButton,
  badge,
  formButton,
  type Html,
  html,
  NONE,
  panel,
  stateBadge,
  table,
  when,
} from "../bits.ts";
import { attemptCards } from "../attempts.ts";
import { duration, exactTime, plural, pretty, secondsBetween } from "../format.ts";
import { logPanel } from "../logs.ts";
import type { Drawn, Page, PageContext, Section } from "../page.ts";
import { timeline } from "../timeline.ts";

const TEXT_CHARS = 20_000;

export const envelope: Page = {
  path: "/envelopes/:uuid",
  async draw(context) {
    const { client, params: { uuid } } = context;
    let rows: EnvelopeRow[];
    try {
      rows = await client.find(uuid, "show", { log: true });
    } catch (error) {
      if (!(error instanceof DispatcherError)) throw error;
      return lost(error.message);
    }
    return rows.length === 1 ? await one(context, rows[0]) : copies(context, rows);
  },
};

function lost(message: string): Drawn {
  const body = html`
    <p class="flash bad">${message}</p>
    <p>What has ended is kept for as long as <code>retention_days</code> says.</p>
  `;
  return { title: "No such envelope", sections: [{ id: "none", body }], status: 404, still: true };
}

/** A broadcast: a copy for each node. */
function copies({ to }: PageContext, rows: EnvelopeRow[]): Drawn {
  const body = table({
    caption: "Copies",
    rows,
    key: ({ uuid }) => uuid,
    empty: "",
    columns: [
      { title: "Node", cell: ({ queue }) => queue },
      { title: "State", cell: ({ state }) => stateBadge(state) },
      {
        title: "Uuid",
        cell: ({ uuid }) => html`<a class="mono" href="${to(`/envelopes/${uuid}`)}">${uuid}</a>`,
      },
    ],
  });
  const said = html`<p>A broadcast of <span class="mono">${rows[0].task}</span>: ${
    plural(rows.length, "copy", "copies")
  }, one for each node.</p>`;
  return { title: "Broadcast", top: said, sections: [{ id: "copies", body }] };
}

async function one(context: PageContext, row: EnvelopeRow): Promise<Drawn> {
  const [why, logs, result] = await Promise.all([
    context.client.look.why(row, context.snapshot.nodes, placeOf(context, row)),
    logPanel(context, row),
    resultOf(context, row),
  ]);
  const sections: Section[] = [
    { id: "head", body: head(context, row) },
    { id: "why", body: html`<ul class="why">${why.map(({ text }) => html`<li>${text}</li>`)}</ul>` },
    { id: "timeline", body: panel("Timeline", timeline(row, context.now)) },
    { id: "attempts", body: attemptCards(row, context) },
    {
      id: "values",
      body: html`<div class="columns">${value("Arguments", redact(row.args), "args")}${result}${
        progress(row)
      }</div>`,
    },
    { id: "logs", body: logs },
    { id: "options", body: options(row) },
  ];
  return { title: row.task, sections };
}

/** The worker that runs it; null: it is claimed and waits there for a slot; undefined: its node does not say. */
function placeOf(
  { snapshot }: PageContext,
  { node, uuid, origin, state }: EnvelopeRow,
): string | null | undefined {
  const status: NodeStatus | null = snapshot.nodes.find(({ name }) => name === node)?.status ?? null;
  if (state !== "running" || status === null) return undefined;
  const shown = origin ?? uuid;
  const found = status.workers.find(({ running }) => running.some((one) => one.uuid === shown));
  if (found) return `${found.host_pid}.${found.tid}`;
  return status.queued.some((one) => one.uuid === shown) ? null : undefined;
}

function head(context: PageContext, row: EnvelopeRow): Html {
  const { uuid, state, queue, priority, attempt, max_attempts, cancel_at, origin } = row;
  const demand = resourcesWords(demandIn(row.options));
  const tries = max_attempts === null ? `${attempt}` : `${attempt} of ${max_attempts}`;
  return html`<p class="head">${stateBadge(state)}${
    cancel_at === null ? NONE : badge("end asked for", "warn")
  } <span class="mono select">${uuid}</span></p>
<p>In queue <b>${queue}</b>, attempt ${tries}, priority ${priority}${
    demand === "" ? NONE : html`, asks for ${demand}`
  }${
    origin === null
      ? NONE
      : html`, a copy of broadcast <a class="mono" href="${context.to(`/envelopes/${origin}`)}">${origin}</a>`
  }</p>
${when(context.mayAct && queue !== "broadcast", () => actions(context, row))}`;
}

function actions({ to, csrf, here }: PageContext, { uuid, state }: EnvelopeRow): Html {
  const fields = { uuid, back: here };
  const ask = (verb: string, label: string) =>
    askButton(
      to(`/ask/envelopes/${verb}?${new URLSearchParams(fields)}`),
      label,
      `${label.replace("…", "")} ${uuid}`,
      "danger",
    );
  const revives = state === "discarded" || state === "cancelled" || state === "retryable" ||
    state === "scheduled";
  return html`<div class="actions">${
    when(revives, () =>
      formButton({
        action: to("/act/envelopes/retry"),
        label: isFinal(state) ? "Retry" : "Run now",
        about: `${isFinal(state) ? "Retry" : "Run now:"} ${uuid}`,
        csrf,
        fields,
      }))
  }${when(!isFinal(state), () => html`${ask("cancel", "Cancel…")}${ask("discard", "Discard…")}`)}${
    askButton(
      to(`/ask/envelopes/copy?${new URLSearchParams(fields)}`),
      "Publish a copy…",
      `Publish a copy of ${uuid}`,
    )
  }</div>`;
}

function value(title: string, given: unknown, id: string): Html {
  const text = pretty(given);
  const shown = text.length > TEXT_CHARS ? `${text.slice(0, TEXT_CHARS)}…` : text;
  return panel(title, html`<pre tabindex="0" id="${id}" aria-label="${title}">${shown}</pre>`);
}

async function resultOf({ client }: PageContext, row: EnvelopeRow): Promise<Html> {
  if (row.state !== "completed") return NONE;
  try {
    return value("Result", redact(await client.openResult(row)), "result");
  } catch (error) {
    return panel("Result", html`<p class="empty">${(error as Error).message}</p>`);
  }
}

function progress({ progress }: EnvelopeRow): Html {
  return progress === null ? NONE : value("Progress", redact(progress), "progress");
}

function options(row: EnvelopeRow): Html {
  const { timeout, due_at, created_at, time_pub, options: { on_duplicate, guid } } = row;
  const facts: [string, string | null][] = [
    ["Published", exactTime(created_at)],
    [
      "By its publisher's clock",
      time_pub === null ? null : exactTime(new Date(time_pub * 1000).toISOString()),
    ],
    ["Due", due_at === null ? null : `${exactTime(due_at)} (${clockDelay(created_at, due_at)} later)`],
    ["Timeout", timeout === null ? null : duration(timeout)],
    ["If there is an equal one", typeof on_duplicate === "string" ? on_duplicate : null],
    ["Guid", typeof guid === "string" ? guid : null],
  ];
  return html`
    <details id="more">
      <summary>More</summary>
      <dl class="facts">${facts.filter(([, value]) => value !== null).map(([name, value]) =>
        html`
          <div>
            <dt>${name}</dt>
            <dd>${value}</dd>
          </div>
        `
      )}</dl>
      <p class="note">Keyword arguments are never shown.</p>
    </details>
  `;
}

const clockDelay = (from: string, to: string) => duration(secondsBetween(from, to));
