/**
 * The callback receivers: what they took, wrote and set aside, and the last events that could not be written.
 *
 * @module
 */
import { ago, badge, type Column, type Html, html, panel, table } from "../bits.ts";
import { duration, number } from "../format.ts";
import type { Page, PageContext } from "../page.ts";

type Receiver = Awaited<ReturnType<PageContext["client"]["look"]["receivers"]>>[number];
type SetAside = Awaited<ReturnType<PageContext["client"]["look"]["setAside"]>>[number];

const SHOWN = 50;

export const receivers: Page = {
  path: "/receivers",
  async draw({ client, now }) {
    const [rows, aside] = await Promise.all([client.look.receivers(), client.look.setAside(SHOWN)]);
    return {
      title: "Receivers",
      sections: [
        { id: "receivers", body: list(rows, now) },
        { id: "set-aside", body: panel("Set aside", setAside(aside, now)) },
      ],
      bottom: html`
        <p
          class="note">A receiver writes the events of jobs from Redis or PostgreSQL into the database. It reports every 2 s; one that ends in order leaves the list.</p>
      `,
    };
  },
};

function list(rows: Receiver[], now: string): Html {
  const columns: Column<Receiver>[] = [
    { title: "Receiver", cell: ({ name }) => html`<b>${name}</b>` },
    { title: "State", cell: ({ alive }) => badge(alive ? "alive" : "silent", alive ? "good" : "bad") },
    { title: "Source", cell: ({ source }) => source === "redis" ? "Redis" : "PostgreSQL" },
    { title: "Saved", right: true, cell: ({ saved }) => number(saved) },
    { title: "Set aside", right: true, cell: ({ set_aside }) => number(set_aside) },
    { title: "Taken", right: true, wide: true, cell: ({ popped }) => number(popped) },
    { title: "In memory", right: true, cell: ({ in_memory }) => number(in_memory) },
    {
      title: "Waiting",
      right: true,
      cell: ({ queue_size }) => queue_size === null ? badge("no answer", "warn") : number(queue_size),
    },
    {
      title: "Lag, 95 %",
      right: true,
      cell: ({ lag_p95 }) => lag_p95 === null ? "–" : duration(lag_p95),
    },
    { title: "Process", wide: true, cell: ({ pid, host }) => `${pid} on ${host}` },
    { title: "Up", right: true, wide: true, cell: ({ started_at }) => ago(started_at, now) },
    { title: "Report", right: true, cell: ({ last_seen }) => html`${ago(last_seen, now)} ago` },
  ];
  return table({
    caption: "Receivers",
    columns,
    rows,
    key: ({ name }) => name,
    empty: html`There is no receiver. Start one with <code>dispatcher callback-receiver</code>.`,
  });
}

function setAside(rows: SetAside[], now: string): Html {
  const columns: Column<SetAside>[] = [
    { title: "Job", right: true, cell: ({ job_id }) => job_id === null ? "–" : String(job_id) },
    { title: "Reason", cell: ({ reason }) => html`<span class="message">${reason}</span>` },
    { title: "Tries", right: true, cell: ({ tries }) => number(tries) },
    { title: "Event", wide: true, cell: ({ event }) => html`<span class="mono clip">${event}</span>` },
    { title: "When", right: true, cell: ({ at }) => html`${ago(at, now)} ago` },
  ];
  return table({
    caption: "Events that were set aside",
    columns,
    rows,
    key: ({ id }) => String(id),
    empty: "Every event could be written.",
  });
}
