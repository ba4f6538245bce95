/**
 * Queues as a table, a line each.
 *
 * @module
 */
import type { QueueView } from "../sampler.ts";
import { ago, badge, type Column, type Html, html, NONE, sparkline, table } from "./bits.ts";
import { count, duration, rate } from "./format.ts";
import type { PageContext } from "./page.ts";
import { quoted } from "./search.ts";

/** The columns that every list of queues has. */
export function queueColumns({ to, now }: PageContext): Column<QueueView>[] {
  const find = (queue: string, state: string, n: number) =>
    n === 0
      ? html`<span class="dim">0</span>`
      : html`<a href="${to(`/envelopes?q=${encodeURIComponent(`queue:${quoted(queue)} state:${state}`)}`)}">${
        count(n)
      }</a>`;
  const columns: Column<QueueView>[] = [
    {
      title: "Queue",
      cell: ({ queue, paused }) =>
        html`<b>${queue}</b>${
          paused
            ? html`
              ${badge("paused", "warn")}
            `
            : NONE
        }`,
    },
    { title: "Waiting", right: true, cell: (q) => find(q.queue, "available", q.available) },
    { title: "Oldest", right: true, cell: (q) => ago(q.oldest_at, now) },
    { title: "Running", right: true, cell: (q) => find(q.queue, "running", q.running) },
  ];
  return [...columns, ...rateColumns()];
}

/** What nodes tell of the last minute. */
function rateColumns(): Column<QueueView>[] {
  const dim = html`<span class="dim">–</span>`;
  return [
    { title: "Rate", right: true, cell: ({ rate: r }) => r ? rate(r.settled_10s) : dim },
    {
      title: "p95 wait",
      right: true,
      cell: ({ rate: r }) => r?.wait_p95 != null ? duration(r.wait_p95) : dim,
    },
    {
      title: "Last minute",
      wide: true,
      cell: ({ queue, rate: r }) =>
        r ? sparkline(r.sparkline, `What ended in ${queue} in each of the last 60 seconds`) : dim,
    },
  ];
}

export function queueTable(context: PageContext, rows: QueueView[], empty: string): Html {
  return table({ caption: "Queues", columns: queueColumns(context), rows, key: (row) => row.queue, empty });
}
