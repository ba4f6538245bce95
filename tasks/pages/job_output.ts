/**
 * What a job printed and what happened in it, as parts of its page.
 *
 * @module
 */
import {
  badge,
  clockTime,
  type Column,
  count,
  exactTime,
  type Html,
  html,
  NONE,
  type PageContext,
  panel,
  raw,
  table,
  when,
} from "edge-dispatcher/view";
import type { UnifiedJob } from "../jobs/model/unified_job.ts";
import type { Db } from "../jobs/model/rows.ts";
import { type Line, LINES, outputOf } from "./output.ts";
import { type EventFilter, type EventLine, type EventPage, eventPage, lastTexts } from "./queries/events.ts";
import { jobPath } from "./status.ts";

const EVENTS = 50;
const MOST_COUNTER = 2_147_483_647;

/** What the URL says of the page's own parts; one changes without the others. */
interface View {
  /** Output before this event. */
  out?: number;
  host?: string;
  failed?: boolean;
  /** Events before this one. */
  before?: number;
}

function viewOf(query: URLSearchParams): View {
  const counter = (name: string) => {
    const n = Number(query.get(name) ?? NaN);
    return Number.isInteger(n) && n > 0 && n <= MOST_COUNTER ? n : undefined;
  };
  return {
    out: counter("out"),
    host: query.get("host")?.replaceAll("\0", "") || undefined,
    failed: query.has("failed") || undefined,
    before: counter("before"),
  };
}

function linkOf({ to }: PageContext, job: UnifiedJob, view: View, anchor: string): string {
  const asked = new URLSearchParams();
  for (const [name, value] of Object.entries(view)) {
    if (value !== undefined) asked.set(name, value === true ? "yes" : `${value}`);
  }
  return to(`${jobPath(job)}${asked.size === 0 ? "" : `?${asked}`}#${anchor}`);
}

/** The end of the output, which follows, or a page of it. */
export async function outputPanel(context: PageContext, db: Db, job: UnifiedJob): Promise<Html> {
  const view = viewOf(context.query);
  const { lines, older, cut } = outputOf(await lastTexts(db, job, view.out, LINES + 1));
  const isOpen = job.finished === null || job.events_closed_at === null;
  const link = (out: number | undefined) => linkOf(context, job, { ...view, out }, "output");
  const newest = when(
    view.out !== undefined,
    () => html`<a class="button" href="${link(undefined)}">The end</a>`,
  );
  const aside = html`<span class="group">${newest}${
    when(older !== null, () => html`<a class="button" rel="next" href="${link(older!)}">Older lines</a>`)
  }${view.out !== undefined ? NONE : isOpen ? badge("follows", "busy") : badge("complete", "off")}</span>`;
  if (lines.length === 0) {
    return panel(
      "Output",
      html`<p class="empty">${isOpen ? "Nothing has been printed yet." : "It printed nothing."}</p>`,
      aside,
    );
  }
  const said = when(
    cut,
    () => html`<p class="note">A text that is longer than a page is shown by its end.</p>`,
  );
  // Turned upside down and back: so a browser keeps the end in sight, without a script.
  return panel(
    "Output",
    html`
      <div class="tail" tabindex="0" role="region" aria-label="Output">
        <ol class="output">${lines.map(lineItem)}</ol>
      </div>${said}
    `,
    aside,
  );
}

function lineItem({ key, number, spans, look }: Line): Html {
  const parts = spans.map(({ text, look }) =>
    look === "" ? text : html`<span class="${look}">${text}</span>`
  );
  return html`<li data-key="${key}" data-n="${number ?? ""}"><span class="${look}">${parts}</span></li>`;
}

/** Its events, narrowed by host or to failures. */
export async function eventsPanel(
  context: PageContext,
  db: Db,
  job: UnifiedJob,
  setAside: number,
): Promise<Html> {
  const view = viewOf(context.query);
  const filter: EventFilter = { host: view.host, failed: view.failed, before: view.before };
  const page = await eventPage(db, job, filter, EVENTS);
  const columns: Column<EventLine>[] = [
    {
      title: "#",
      right: true,
      cell: ({ counter }) =>
        html`<a href="${
          linkOf(context, job, { ...view, out: counter + 1 }, "output")
        }" aria-label="Output up to event ${counter}">${counter}</a>`,
    },
    {
      title: "Time",
      wide: true,
      cell: ({ created }) =>
        html`<span title="${exactTime(created)}">${clockTime(created, context.now)}</span>`,
    },
    { title: "Event", wide: true, cell: ({ event }) => html`<span class="mono">${event}</span>` },
    {
      title: "Outcome",
      cell: ({ failed, changed }) =>
        failed
          ? badge("failed", "bad")
          : changed
          ? badge("changed", "warn")
          : html`<span class="dim">–</span>`,
    },
    {
      title: "Host",
      cell: ({ host }) =>
        host === ""
          ? html`<span class="dim">–</span>`
          : html`<a href="${
            linkOf(context, job, { ...view, host, before: undefined }, "events")
          }">${host}</a>`,
    },
    { title: "Task", cell: ({ task, play }) => html`<span class="roomy">${task || play}</span>` },
  ];
  const empty = view.host || view.failed ? "No event matches." : "No event yet.";
  const list = table({
    caption: "Events",
    columns,
    rows: page.rows,
    key: ({ counter }) => `e-${counter}`,
    empty,
  });
  const told = html`${when(setAside > 0, () => badge(`${count(setAside)} set aside`, "warn"))} ${
    when(job.emitted_events > 0, () => html`<span class="dim">${count(job.emitted_events)} in all</span>`)
  }`;
  return panel("Events", html`${list}${pager(context, job, view, page)}`, told);
}

/** What is typed here stays while the page changes. */
export function eventsFilter(context: PageContext, job: UnifiedJob): Html {
  const { out, host, failed } = viewOf(context.query);
  const kept = when(out !== undefined, () => html`<input type="hidden" name="out" value="${out}">`);
  return html`<form class="find" action="${context.to(jobPath(job))}#events">${kept}
<label for="host">Host</label><input id="host" name="host" value="${
    host ?? ""
  }" autocomplete="off" spellcheck="false">
<label class="check"><input type="checkbox" name="failed" value="yes"${
    failed ? raw(" checked") : NONE
  }> Failures only</label>
<button>Narrow</button></form>`;
}

function pager(context: PageContext, job: UnifiedJob, view: View, { next, cut }: EventPage): Html {
  const first = when(
    view.before !== undefined,
    () =>
      html`<a class="button" href="${
        linkOf(context, job, { ...view, before: undefined }, "events")
      }">Newest events</a>`,
  );
  if (next === null) return view.before === undefined ? NONE : html`<p class="pager">${first}</p>`;
  return html`<p class="pager">${first}<a class="button" rel="next" href="${
    linkOf(context, job, { ...view, before: next }, "events")
  }">${cut ? "Go on looking" : "Older events"}</a></p>`;
}
