/**
 * What was discarded, grouped by task and error.
 *
 * @module
 */
import { ago, askButton, type Column, envelopeLink, type Html, html, table } from "../bits.ts";
import { number, plural } from "../format.ts";
import type { Page, PageContext } from "../page.ts";
import { quoted } from "../search.ts";

type Group = Awaited<ReturnType<PageContext["client"]["look"]["groups"]>>[number];
const GROUPS = 100;

export const failures: Page = {
  path: "/failures",
  async draw(context) {
    const groups = await context.client.look.groups(GROUPS);
    const total = groups.reduce((sum, group) => sum + group.count, 0);
    return {
      title: "Failures",
      sections: [{ id: "failures", body: html`${summary(context, groups, total)}${list(context, groups)}` }],
      bottom: html`
        <p
          class="note">Numbers and uuids in a message do not tell two errors apart: # stands for them. Of the last 10,000 that were discarded.</p>
      `,
    };
  },
};

function summary(_: PageContext, groups: Group[], total: number): Html {
  if (groups.length === 0) return html``;
  return html`<p>${plural(total, "envelope was", "envelopes were")} discarded, in ${
    plural(groups.length, "group")
  }.</p>`;
}

function list(context: PageContext, rows: Group[]): Html {
  const { to, now, mayAct } = context;
  const columns: Column<Group>[] = [
    { title: "Count", right: true, cell: ({ count }) => number(count) },
    {
      title: "Task",
      cell: ({ task }) =>
        html`<a class="mono" href="${
          to(`/envelopes?q=${encodeURIComponent(`task:${quoted(task)} state:discarded`)}`)
        }">${task}</a>`,
    },
    {
      title: "Error",
      cell: ({ error, message }) => html`<b>${error}</b> <span class="message">${message}</span>`,
    },
    { title: "First", right: true, wide: true, cell: ({ first_at }) => ago(first_at, now) },
    { title: "Last", right: true, cell: ({ last_at }) => ago(last_at, now) },
    { title: "One of them", wide: true, cell: ({ last_uuid }) => envelopeLink(to, last_uuid) },
  ];
  if (mayAct) columns.push({ title: "Actions", cell: (group) => actions(context, group) });
  return table({
    caption: "Failures",
    columns,
    rows,
    key: ({ task, error, message }) => `${task} ${error} ${message}`,
    empty: "Nothing was discarded. Long may it last.",
  });
}

function actions({ to, here }: PageContext, { task, error, message, count }: Group): Html {
  const asked = new URLSearchParams({ task, error, message, back: here });
  return askButton(
    to(`/ask/failures/retry?${asked}`),
    "Retry…",
    `Retry ${number(count)} of ${task} that died of ${error}`,
  );
}
