/**
 * The schedules: when they tick, in words; what became of the last ticks; run now, pause, resume.
 *
 * @module
 */
import cronstrue from "cronstrue";
import { nextTicks, rhythmFault, type ScheduleRow } from "../../../schedule.ts";
import type { TickOutcome } from "../../../looker.ts";
import { ago, badge, formButton, type Html, html, NONE, table, toneOf } from "../bits.ts";
import { clockTime, duration, exactTime } from "../format.ts";
import type { Page, PageContext } from "../page.ts";

const [NEXT, LAST] = [3, 20];
/** More nodes than this are only counted. */
const NAMED = 3;

export const schedules: Page = {
  path: "/schedules",
  async draw(context) {
    const rows = await context.client.schedules();
    const ticks = await context.client.look.ticks(rows, LAST, new Date(context.now));
    return {
      title: "Schedules",
      sections: [{ id: "schedules", body: list(context, rows, ticks) }],
      bottom:
        html`<p class="note">Times are in UTC. What nodes tick by themselves (scope: node) is turned off in
        their configuration.</p>`,
    };
  },
};

function list(context: PageContext, rows: ScheduleRow[], ticks: Map<string, TickOutcome[]>): Html {
  const { now } = context;
  return table({
    caption: "Schedules",
    rows,
    key: ({ name, nodes }) => nodes === null ? name : `${name} on ${nodes.join(" ")}`,
    empty:
      html`No schedule is configured: <code>schedules</code> in the configuration file of a node makes them.`,
    columns: [
      {
        title: "Schedule",
        cell: ({ name, enabled }) =>
          html`<b>${name}</b>${
            enabled ? NONE : html`
              ${badge("paused", "warn")}
            `
          }`,
      },
      { title: "When", cell: (row) => rhythm(row) },
      {
        title: "Task",
        cell: (row) => html`<span class="mono">${row.task}</span> <span class="dim">${where(row)}</span>`,
      },
      { title: "Next", cell: (row) => next(row, now) },
      { title: "Last", right: true, cell: ({ last_at }) => ago(last_at, now) },
      { title: `Last ${LAST}`, cell: (row) => outcomes(context, row, ticks.get(row.name) ?? []) },
      ...context.mayAct ? [{ title: "Actions", cell: (row: ScheduleRow) => actions(context, row) }] : [],
    ],
  });
}

/** The rhythm as a sentence, and as it was written. */
function rhythm({ every, cron, timezone }: ScheduleRow): Html {
  if (every !== null) return html`Every ${duration(every)}`;
  const zone = timezone ?? "UTC";
  return html`${inWords(cron!)}<br><span class="dim"><code class="unbroken">${cron}</code> ${zone}</span>`;
}

function inWords(cron: string): string {
  try {
    return cronstrue.toString(cron, { use24HourTimeFormat: true, verbose: false });
  } catch {
    // A form that the library has no words for: it stands beside this.
    return "By its expression";
  }
}

function next(row: ScheduleRow, now: string): Html {
  if (!row.enabled || row.next_at === null) return html`<span class="dim">–</span>`;
  if (rhythmFault(row)) return badge("never", "bad");
  const first = new Date(row.next_at);
  const times = [first, ...nextTicks(row, first, NEXT - 1)].map((time) => time.toISOString());
  return html`<ol class="times">${
    times.map((time) => html`<li title="${exactTime(time)}">${clockTime(time, now)}</li>`)
  }</ol>`;
}

/** In which queue, or on which nodes; of many the number. */
function where({ queue, nodes }: ScheduleRow): string {
  if (nodes === null) return `in ${queue}`;
  return nodes.length > NAMED ? `on each of ${nodes.length} nodes` : `on ${nodes.join(", ")}`;
}

function outcomes({ to, now }: PageContext, { scope, every }: ScheduleRow, ticks: TickOutcome[]): Html {
  // A rhythm of seconds begins with its node: nobody else knows the ticks.
  if (scope === "node" && every !== null) return html`<span class="dim">–</span>`;
  if (ticks.length === 0) return html`<span class="dim">none yet</span>`;
  return html`<span class="cells">${
    ticks.toReversed().map(({ at, uuid, state }) =>
      html`
        <a class="cell ${toneOf(state)}" href="${to(`/envelopes/${uuid}`)}" data-key="${uuid}"
          title="${state}, ${clockTime(at, now)}"><span class="unseen">${state} at ${clockTime(
            at,
            now,
          )}</span></a>
      `
    )
  }</span>`;
}

function actions({ to, csrf, here }: PageContext, { name, enabled, scope }: ScheduleRow): Html {
  if (scope === "node") return html`<span class="dim">–</span>`;
  const verb = enabled ? "pause" : "resume";
  const fields = { schedule: name, back: here };
  return html`<span class="actions">${
    formButton({
      action: to("/act/schedule/run"),
      label: "Run now",
      about: `Run now: schedule ${name}`,
      csrf,
      fields,
    })
  }${
    formButton({
      action: to(`/act/schedule/${verb}`),
      label: enabled ? "Pause" : "Resume",
      about: `${enabled ? "Pause" : "Resume"} schedule ${name}`,
      csrf,
      fields,
    })
  }</span>`;
}
