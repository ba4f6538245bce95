/**
 * The charts of the overview: the page has their places and a table of numbers, the script draws them.
 *
 * @module
 */
import type { Client } from "../../client.ts";
import { type Html, html, panel, raw } from "./bits.ts";
import type { PageContext } from "./page.ts";

const CHARTS: [id: string, title: string, what: string][] = [
  ["throughput", "Throughput", "Envelopes a second: published, completed, retried, discarded"],
  ["wait", "Wait", "From due to start: the median and the 95th percentile"],
  ["states", "States", "How many wait, run, are scheduled or will be retried"],
  ["slots", "Slots busy", "Slots that run something, of all there are"],
];

/** How far back the charts can go. */
export const SPANS: Readonly<Record<string, number>> = { "1h": 1, "24h": 24 };

/** The span that a query asks for. */
export function spanOf(query: URLSearchParams): string {
  const span = query.get("span") ?? "1h";
  return span in SPANS ? span : "1h";
}

export type ChartData = Awaited<ReturnType<Client["rollup"]>>;

/** What nodes wrote down. */
export async function readCharts(client: Client, span: string): Promise<ChartData> {
  return await client.rollup({ hours: SPANS[span] });
}

/** The four charts. */
export function chartPanel({ query, to }: PageContext): Html {
  const chosen = spanOf(query);
  const links = Object.keys(SPANS).map((span) =>
    html`
      <a href="${to(`/?span=${span}`)}#charts" ${span === chosen
        ? raw(' aria-current="true"')
        : ""}>${span}</a>
    `
  );
  const figures = CHARTS.map(([id, title, what]) =>
    html`
      <figure>
        <figcaption><b>${title}</b> <span class="dim">${what}</span></figcaption>
        <div class="chart" id="chart-${id}" data-chart="${id}" role="img"
          aria-label="${title}: ${what}"></div>
      </figure>
    `
  );
  return html`<section id="charts" data-charts="${to(`/data/charts?span=${chosen}`)}">${
    panel(
      "Charts",
      html`
        <div class="charts">${figures}</div>
        <p
          class="note"><span id="charts-said">Charts are drawn by a script.</span> <a href="${to(
            `/charts?span=${chosen}`,
          )}">The same as numbers</a></p>
      `,
      html`<span class="group" role="group" aria-label="Span">${links}</span>`,
    )
  }</section>`;
}
