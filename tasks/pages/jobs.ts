/**
 * The jobs: what needs attention, then what runs, what is to run, and what has ended. The URL is the state.
 *
 * @module
 */
import {
  ago,
  badge,
  type Column,
  count,
  type Html,
  html,
  NONE,
  type Page,
  type PageContext,
  panel,
  raw,
  table,
  when,
} from "edge-dispatcher/view";
import { settings } from "../jobs/model/settings.ts";
import { type JobStatus, STATUSES } from "../jobs/model/unified_job.ts";
import { type JobLine, type JobPage, jobPage, LOOKED, statusCounts, troubledJobs } from "./queries/jobs.ts";
import type { Trouble, TroubledJob } from "./queries/jobs.ts";
import { jobSearchText, readJobSearch, type ReadSearch, templateText } from "./search.ts";
import {
  elapsed,
  jobLink,
  jobMention,
  kindWord,
  launchWord,
  statusBadge,
  templateWord,
  toneOf,
} from "./status.ts";

const PAGE = 50;

export const jobs: Page = {
  path: "/jobs",
  async draw(context) {
    const db = context.client.database();
    const text = context.query.get("q") ?? "";
    const after = context.query.get("after") ?? undefined;
    const search = readJobSearch(text);
    const isFirst = after === undefined && Object.keys(search.filter).length === 0;
    const [counts, page, troubled] = await Promise.all([
      statusCounts(db),
      search.faults.length > 0
        ? { rows: [], next: null, cut: false }
        : jobPage(db, search.filter, PAGE, after),
      isFirst ? settings(db).then(({ HEARTBEAT_GRACE }) => troubledJobs(db, HEARTBEAT_GRACE)) : [],
    ]);
    const place = when(text !== "", () => html`${searchNote(search)}`);
    return {
      title: "Jobs",
      top: html`${searchForm(context, text)}${place}`,
      sections: [
        { id: "attention", body: isFirst ? attention(context, troubled) : NONE },
        { id: "tabs", body: tabs(context, search, counts) },
        {
          id: "rows",
          body: html`${jobTable(context, page.rows, { empty: emptyText(text) })}${pager(context, page)}`,
        },
      ],
    };
  },
};

function emptyText(text: string): string {
  return text === "" ? "There is no job yet." : "No job matches.";
}

function searchForm({ to, mayAct }: PageContext, text: string): Html {
  const launch = when(mayAct, () => html`<a class="button primary" href="${to("/jobs/launch")}">Launch…</a>`);
  return html`<form class="find" action="${to("/jobs")}">
<label for="q">Search</label><input id="q" name="q" type="search" value="${text}" autocomplete="off" spellcheck="false" data-search>
<button>Search</button>${launch}
<p class="note">The beginning of a name, and <code>status:failed,error</code> <code>kind:project_update</code> <code>template:7</code> <code>template:workflow_template:2</code> <code>node:one</code></p>
</form>`;
}

function searchNote({ faults }: ReadSearch): Html {
  return when(
    faults.length > 0,
    () => html`<ul class="flash bad" role="alert">${faults.map((fault) => html`<li>${fault}</li>`)}</ul>`,
  );
}

/** Of each trouble that many are counted. */
const MANY = 100;

function attention(context: PageContext, jobs: TroubledJob[]): Html {
  if (jobs.length === 0) {
    return html`<p class="calm">${badge("all well", "good")} No job needs your attention.</p>`;
  }
  const troubles = [...new Set(jobs.map(({ trouble }) => trouble))];
  const list = troubles.map((trouble) => {
    const some = jobs.filter((job) => job.trouble === trouble);
    const more = some[0].all - some.length;
    const others = when(
      more > 0,
      () =>
        html`<li data-key="more-${trouble}" class="dim">and ${count(more)}${
          some[0].all >= MANY ? " or more" : ""
        } others: ${trouble}</li>`,
    );
    return html`${some.map((job) => finding(context, job))}${others}`;
  });
  return panel("Needs attention", html`<ul class="findings">${list}</ul>`);
}

function finding({ to, now }: PageContext, job: TroubledJob): Html {
  const says: Record<Trouble, () => [Html, Html]> = {
    "node is gone": () => [
      badge("now", "bad"),
      html`is ${job.status} on ${job.execution_node}, which is not heard any more`,
    ],
    failed: () => [statusBadge(job.status), html`<span class="num">${ago(job.finished, now)}</span> ago`],
    "waits long": () => [
      badge("waits", "warn"),
      html`has been pending for <span class="num">${ago(job.created, now)}</span>`,
    ],
  };
  const [sign, text] = says[job.trouble]();
  const told = when(job.job_explanation !== "", () => html`: ${job.job_explanation}`);
  return html`<li data-key="t-${job.id}">${sign} <span>${
    jobLink(to, job, `#${job.id} ${job.name}`)
  } ${text}${told}</span></li>`;
}

/** One click to a status; other words of the search stay. */
function tabs({ to }: PageContext, { filter }: ReadSearch, counts: Record<JobStatus, number>): Html {
  const link = (label: Html | string, status: JobStatus[] | undefined, here: boolean) => {
    const q = jobSearchText({ ...filter, status });
    const href = to(q === "" ? "/jobs" : `/jobs?q=${encodeURIComponent(q)}`);
    return html`<li><a href="${href}"${here ? raw(' aria-current="true"') : NONE}>${label}</a></li>`;
  };
  return html`<ul class="tabs" aria-label="Statuses">${link("all", undefined, filter.status === undefined)}${
    STATUSES.map((status) =>
      link(
        html`<span class="${`dotted ${toneOf(status)}`}">${status}</span> <span class="num dim">${
          count(counts[status])
        }</span>`,
        [status],
        filter.status?.join() === status,
      )
    )
  }</ul>`;
}

/** Columns that tell nothing where all jobs are alike. */
type Without = "Kind" | "Node";

/** Jobs as lines. */
export function jobTable(
  { to, now }: PageContext,
  rows: JobLine[],
  { empty, caption = "Jobs", without = [] }: {
    empty: string;
    caption?: string;
    without?: readonly Without[];
  },
): Html {
  const find = (q: string, text: string) =>
    html`<a class="word" href="${to(`/jobs?q=${encodeURIComponent(q)}`)}">${text}</a>`;
  const columns: Column<JobLine>[] = [
    {
      title: "Status",
      cell: ({ status, cancel_flag, finished }) =>
        html`${statusBadge(status)}${
          cancel_flag && finished === null
            ? html`
              ${badge("canceling", "warn")}
            `
            : NONE
        }`,
    },
    { title: "Id", right: true, cell: ({ id }) => html`<span class="num">${id}</span>` },
    {
      title: "Name",
      cell: (job) =>
        html`${jobLink(to, job)}${
          when(job.job_explanation !== "", () => html`<span class="explains">${job.job_explanation}</span>`)
        }`,
    },
    { title: "Kind", wide: true, cell: ({ kind }) => html`<span class="word">${kindWord(kind)}</span>` },
    {
      title: "Template",
      wide: true,
      cell: ({ template_kind: kind, template_id: id }) =>
        kind === null || id === null
          ? "–"
          : find(`template:${templateText({ kind, id })}`, templateWord(kind, id)),
    },
    {
      title: "Node",
      wide: true,
      cell: ({ execution_node: node }) =>
        node === "" ? html`<span class="dim">–</span>` : html`<span class="whole">${node}</span>`,
    },
    { title: "Launch", wide: true, cell: ({ launch_type }) => launchWord(launch_type) },
    { title: "Started", right: true, wide: true, cell: ({ started }) => ago(started, now) },
    { title: "Took", right: true, cell: (job) => elapsed(job, now) },
  ];
  const shown = columns.filter(({ title }) => !without.includes(title as Without));
  return table({ caption, columns: shown, rows, key: ({ id }) => `j-${id}`, empty });
}

/** Forward only: back is the browser's. */
function pager({ to, query }: PageContext, { next, cut }: JobPage): Html {
  const text = query.get("q") ?? "";
  const link = (after: string | null) => {
    const asked = new URLSearchParams({
      ...text === "" ? {} : { q: text },
      ...after === null ? {} : { after },
    });
    return to(`/jobs${asked.size === 0 ? "" : `?${asked}`}`);
  };
  const first = query.get("after") === null ? NONE : html`<a class="button" href="${link(null)}">Newest</a>`;
  if (next === null) return html`<p class="pager">${first} <span class="dim">The end.</span></p>`;
  const said = when(cut, () => html`<span class="dim">${count(LOOKED)} were looked through.</span>`);
  return html`<p class="pager">${first} <a class="button" rel="next" href="${link(next)}">${
    cut ? "Go on looking" : "Older"
  }</a> ${said}</p>`;
}

/** A short list of jobs. */
export function mentions({ to }: PageContext, jobs: readonly Parameters<typeof jobMention>[1][]): Html {
  return html`<ul class="mentions">${
    jobs.map((job) => html`<li data-key="m-${job.id}">${jobMention(to, job)}</li>`)
  }</ul>`;
}
