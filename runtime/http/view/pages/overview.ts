/**
 * The overview: what needs attention first, then how much there is of everything.
 *
 * @module
 */
import { STATES } from "../../../state.ts";
import { attention } from "../attention.ts";
import { badge, type Html, html, NONE, panel } from "../bits.ts";
import { chartPanel } from "../charts.ts";
import { age, count, plural, secondsBetween } from "../format.ts";
import type { Page, PageContext } from "../page.ts";
import { queueTable } from "../queue_table.ts";
import { slotStrip } from "../slots.ts";

export const overview: Page = {
  path: "/",
  draw(context) {
    return Promise.resolve({
      title: "Overview",
      sections: [
        { id: "attention", body: findings(context) },
        { id: "states", body: states(context) },
        { id: "queues", body: queues(context) },
        { id: "nodes", body: nodes(context) },
      ],
      bottom: chartPanel(context),
    });
  },
};

function findings({ snapshot, to }: PageContext): Html {
  const found = attention(snapshot);
  if (found.length === 0) {
    return html`<p class="calm">${badge("all well", "good")} Nothing needs your attention.</p>`;
  }
  return panel(
    "Needs attention",
    html`<ul class="findings">${
      found.map(({ tone, text, href }) =>
        html`<li>${badge(tone === "bad" ? "now" : "soon", tone)} <a href="${to(href)}">${text}</a></li>`
      )
    }</ul>`,
  );
}

function states({ snapshot: { counts }, to }: PageContext): Html {
  const { live, recent, since, now } = counts;
  const of: Record<string, number> = { ...recent, ...live };
  const tiles = STATES.map((state) => {
    const href = to(`/envelopes?q=${encodeURIComponent(`state:${state}`)}`);
    return html`
      <li
        class="${of[state] === 0 ? "none" : ""}"><a href="${href}"><b>${count(
          of[state],
        )}</b><span class="${`dotted ${state}`}">${state}</span></a></li>
    `;
  });
  const ended = recent.completed + recent.cancelled + recent.discarded;
  const note = since === null
    ? "Nothing has ended yet"
    : `Completed, cancelled and discarded: of the last ${plural(ended, "envelope")} that ended, within ${
      age(secondsBetween(since, now))
    }`;
  return html`
    <h2 class="unseen">Envelopes by state</h2>
    <ul class="tiles">${tiles}</ul>
    <p class="note">${note}</p>
  `;
}

function queues(context: PageContext): Html {
  const active = context.snapshot.queues.filter((queue) =>
    queue.available + queue.running + queue.scheduled + queue.retryable > 0 || queue.paused ||
    (queue.rate?.settled_60s ?? 0) > 0
  );
  return panel(
    "Active queues",
    queueTable(context, active, "Nothing waits or runs in any queue."),
    html`<a href="${context.to("/queues")}">All queues</a>`,
  );
}

function nodes({ snapshot, to }: PageContext): Html {
  const alive = snapshot.nodes.filter(({ alive }) => alive);
  const body = alive.length === 0
    ? html`<p class="empty">No node is alive.</p>`
    : html`<ul class="strips">${
      alive.map((node) =>
        html`<li><a href="${to("/nodes")}">${node.name}</a> ${node.leader ? badge("leader", "busy") : NONE}${
          slotStrip(node)
        }</li>`
      )
    }</ul>`;
  return panel("Slots", body, html`<a href="${to("/nodes")}">All nodes</a>`);
}
