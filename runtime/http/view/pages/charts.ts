/**
 * The charts as numbers, for those who do not see them or want to copy them.
 *
 * @module
 */
import { type Html, html, raw, table } from "../bits.ts";
import { type ChartData, readCharts, spanOf, SPANS } from "../charts.ts";
import { clockTime, duration, rate } from "../format.ts";
import type { Page, PageContext } from "../page.ts";

export const charts: Page = {
  path: "/charts",
  async draw(context) {
    const span = spanOf(context.query);
    const data = await readCharts(context.client, span);
    const body = data.at.length === 0
      ? html`<p class="empty">There are no numbers yet: nodes write them down each minute.</p>`
      : numbers(context, data);
    return {
      title: "Charts as numbers",
      still: true,
      top: spans(context, span),
      sections: [{ id: "numbers", body }],
    };
  },
};

function spans({ to }: PageContext, chosen: string): Html {
  const links = Object.keys(SPANS).map((span) =>
    html`
      <a href="${to(`/charts?span=${span}`)}" ${span === chosen
        ? raw(' aria-current="true"')
        : ""}>${span}</a>
    `
  );
  return html`<p><span class="group" role="group" aria-label="Span">${links}</span></p>`;
}

function numbers({ now }: PageContext, { at, throughput, wait, states, slots }: ChartData): Html {
  const seconds = (n: number | null) => n === null ? "–" : duration(n);
  const mean = (n: number | null) => n === null ? "–" : n.toFixed(1);
  const rows = at.map((_, i) => i).reverse();
  const column = (title: string, cell: (i: number) => string) => ({ title, cell, right: true });
  return table({
    caption: "Numbers of each step",
    rows,
    key: (i) => `${at[i]}`,
    empty: "",
    columns: [
      { title: "From", cell: (i) => clockTime(new Date(at[i] * 1000).toISOString(), now) },
      column("Published", (i) => rate(throughput.published[i] ?? 0)),
      column("Completed", (i) => rate(throughput.completed[i] ?? 0)),
      column("Retried", (i) => rate(throughput.retry[i] ?? 0)),
      column("Discarded", (i) => rate(throughput.discarded[i] ?? 0)),
      column("Wait p50", (i) => seconds(wait.p50[i])),
      column("Wait p95", (i) => seconds(wait.p95[i])),
      column("Waiting", (i) => mean(states.available[i])),
      column("Running", (i) => mean(states.running[i])),
      column("Slots busy", (i) => mean(slots.busy[i])),
    ],
  });
}
