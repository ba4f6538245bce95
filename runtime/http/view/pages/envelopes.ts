/**
 * The envelopes: one search box, pages, and what can be done to many at once. The URL is the state.
 *
 * @module
 */
import { redact } from "../../../redact.ts";
import { isFinal, type State, STATES } from "../../../state.ts";
import type * as Look from "../../../store/look.ts";
import type { EnvelopeRow } from "../../../store/store.ts";
import {
  ago,
  type Column,
  envelopeLink,
  hidden,
  type Html,
  html,
  NONE,
  raw,
  stateBadge,
  table,
  when,
} from "../bits.ts";
import { clockTime, count, duration, secondsBetween, short } from "../format.ts";
import type { Page, PageContext } from "../page.ts";
import { readSearch, type Search, searchText } from "../search.ts";

type EnvelopePage = Look.EnvelopePage<EnvelopeRow>;

const PAGE = 50;
const ARGS_CHARS = 120;

export const envelopes: Page = {
  path: "/envelopes",
  async draw(context) {
    const { query, client } = context;
    const text = query.get("q") ?? "";
    const search = readSearch(text);
    const page: EnvelopePage = search.faults.length > 0
      ? { rows: [], next: null, cut: false }
      : await client.look.page(search.filter, PAGE, query.get("after") ?? undefined);
    return {
      title: "Envelopes",
      top: html`${searchForm(context, text)}${faults(search)}`,
      sections: [
        { id: "tabs", body: tabs(context, search) },
        { id: "rows", body: bulk(context, text, page, search) },
      ],
    };
  },
};

function searchForm({ to }: PageContext, text: string): Html {
  return html`<form class="find" action="${to("/envelopes")}">
<label for="q">Search</label><input id="q" name="q" type="search" value="${text}" autocomplete="off" spellcheck="false" data-search>
<button>Search</button>
<p class="note">A uuid or its beginning opens it. <code>task:mail/*</code> <code>queue:default</code> <code>state:running,retryable</code> <code>node:one</code> <code>args.id:42</code> <code>args.0:"a b"</code></p>
</form>`;
}

function faults({ faults }: Search): Html {
  return when(
    faults.length > 0,
    () => html`<ul class="flash bad" role="alert">${faults.map((fault) => html`<li>${fault}</li>`)}</ul>`,
  );
}

/** One click to a state; other words of the search stay. */
function tabs({ to, snapshot: { counts } }: PageContext, { filter }: Search): Html {
  const of: Record<string, number> = { ...counts.recent, ...counts.live };
  const link = (label: Html | string, state: State[] | undefined, here: boolean) => {
    const q = searchText({ ...filter, state });
    const href = to(q === "" ? "/envelopes" : `/envelopes?q=${encodeURIComponent(q)}`);
    return html`<li><a href="${href}"${here ? raw(' aria-current="true"') : NONE}>${label}</a></li>`;
  };
  return html`<ul class="tabs" aria-label="States">${link("all", undefined, filter.state === undefined)}${
    STATES.map((state) =>
      link(
        html`<span class="${`dotted ${state}`}">${state}</span> <span class="num dim">${
          count(of[state])
        }</span>`,
        [state],
        filter.state?.join() === state,
      )
    )
  }</ul>`;
}

function bulk(context: PageContext, text: string, page: EnvelopePage, search: Search): Html {
  const { to, here, mayAct } = context;
  const rows = list(context, page, search);
  if (!mayAct || page.rows.length === 0) return html`${rows}${more(context, text, page)}`;
  const verbs = ["retry", "cancel", "discard"] as const;
  const buttons = verbs.map((verb) =>
    html`<button formaction="${to(`/ask/envelopes/${verb}`)}" class="${
      verb === "retry" ? "plain" : "danger"
    }">${verb}…</button>`
  );
  return html`<form class="bulk" action="${to("/ask/envelopes/retry")}">${hidden({ back: here, q: text })}
<div class="actions bulkbar"><label class="check"><input type="checkbox" data-all> All on this page</label>
<label class="check"><input type="checkbox" name="all" value="yes"> All that match, on every page</label>
<span class="group">${buttons}</span></div>${rows}</form>${more(context, text, page)}`;
}

function list(context: PageContext, page: EnvelopePage, { filter }: Search): Html {
  const { to, now, mayAct } = context;
  const columns: Column<EnvelopeRow>[] = [
    { title: "State", cell: ({ state }) => stateBadge(state) },
    { title: "Uuid", cell: ({ uuid }) => envelopeLink(to, uuid) },
    {
      title: "Task",
      cell: ({ task, args }) =>
        html`<span class="mono">${task}</span> <span class="mono dim clip">${
          short(redact(args), ARGS_CHARS)
        }</span>`,
    },
    { title: "Queue", cell: ({ queue }) => queue },
    {
      title: "Attempt",
      right: true,
      cell: ({ attempt, max_attempts }) => `${attempt}${max_attempts === null ? "" : `/${max_attempts}`}`,
    },
    { title: "Published", right: true, cell: ({ created_at }) => ago(created_at, now) },
    { title: "Took", right: true, cell: (row) => took(row, now) },
    { title: "Node", wide: true, cell: ({ node }) => node ?? "–" },
  ];
  if (mayAct) {
    const box = ({ uuid }: EnvelopeRow) =>
      html`<input type="checkbox" name="uuid" value="${uuid}" aria-label="Choose ${uuid}" id="c-${uuid}">`;
    columns.unshift({ title: "Choose", cell: box });
  }
  const empty = Object.keys(filter).length === 0 ? "There is no envelope yet." : "No envelope matches.";
  return table({ caption: "Envelopes", columns, rows: page.rows, key: ({ uuid }) => uuid, empty });
}

/** How long its last attempt took, or has taken, or when it is due. */
function took({ state, claimed_at, finished_at, due_at }: EnvelopeRow, now: string): Html | string {
  if (state === "running" && claimed_at !== null) return ago(claimed_at, now);
  if (!isFinal(state)) return due_at === null ? "–" : ago(due_at, now);
  return claimed_at === null ? "–" : duration(secondsBetween(claimed_at, finished_at!));
}

/** Forward only: back is the browser's. */
function more({ to, query, now }: PageContext, text: string, { next, cut, rows }: EnvelopePage): Html {
  const link = (after: string | null) => {
    const asked = new URLSearchParams({
      ...text === "" ? {} : { q: text },
      ...after === null ? {} : { after },
    });
    return to(`/envelopes?${asked}`);
  };
  const newest = query.get("after") === null ? NONE : html`<a class="button" href="${link(null)}">Newest</a>`;
  if (next === null) return html`<p class="pager">${newest} <span class="dim">The end.</span></p>`;
  const last = rows.at(-1);
  const far = cut && last ? ` down to ${clockTime(last.created_at, now)}` : "";
  const said = cut ? html`<span class="dim">20,000 were looked through${far}.</span>` : NONE;
  return html`<p class="pager">${newest} <a class="button" rel="next" href="${link(next)}">${
    cut ? "Go on looking" : "Older"
  }</a> ${said}</p>`;
}
