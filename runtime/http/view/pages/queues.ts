/**
 * The queues: what stands in each, who works on it, and pause, resume, purge.
 *
 * @module
 */
import type { QueueView } from "../../sampler.ts";
import { askButton, type Column, formButton, type Html, html, table } from "../bits.ts";
import { count } from "../format.ts";
import type { Page, PageContext } from "../page.ts";
import { queueColumns } from "../queue_table.ts";

export const queues: Page = {
  path: "/queues",
  draw(context) {
    return Promise.resolve({
      title: "Queues",
      sections: [{ id: "queues", body: list(context) }],
      bottom: html`
        <p
          class="note">Counts stop at 10,000. A queue that bears the name of a node is that node's own: only it works there.</p>
      `,
    });
  },
};

function list(context: PageContext): Html {
  const { snapshot, mayAct } = context;
  const consumers = (queue: string) =>
    snapshot.nodes.filter((node) => node.alive && node.queues.includes(queue)).map(({ name }) => name);
  const [first, ...others] = queueColumns(context);
  const columns: Column<QueueView>[] = [
    first,
    ...others,
    { title: "Scheduled", right: true, wide: true, cell: ({ scheduled }) => count(scheduled) },
    { title: "Retryable", right: true, wide: true, cell: ({ retryable }) => count(retryable) },
    {
      title: "Nodes",
      wide: true,
      cell: ({ queue }) => {
        const names = consumers(queue);
        return names.length === 0 ? html`<span class="warn-text">none</span>` : names.join(", ");
      },
    },
  ];
  if (mayAct) columns.push({ title: "Actions", cell: (row) => actions(context, row) });
  return table({
    caption: "Queues",
    columns,
    rows: snapshot.queues,
    key: ({ queue }) => queue,
    empty: "There is no queue yet: none has work, and no node is alive.",
  });
}

function actions({ to, csrf, here }: PageContext, { queue, paused }: QueueView): Html {
  const verb = paused ? "resume" : "pause";
  return html`<span class="actions">${
    formButton({
      action: to(`/act/queue/${verb}`),
      label: paused ? "Resume" : "Pause",
      about: `${paused ? "Resume" : "Pause"} queue ${queue}`,
      csrf,
      fields: { queue, back: here },
    })
  }${
    askButton(
      to(`/ask/queue/purge?${new URLSearchParams({ queue, back: here })}`),
      "Purge…",
      `Purge queue ${queue}`,
      "danger",
    )
  }</span>`;
}
