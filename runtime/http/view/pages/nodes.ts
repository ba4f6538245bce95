/**
 * The nodes: a card each, with a cell for each slot, what runs there, and drain, scale, log level.
 *
 * @module
 */
import type { NodeLook } from "../../sampler.ts";
import { callText } from "../../../redact.ts";
import { usageWords } from "../../../resources.ts";
import { isSilent } from "../attention.ts";
import {
  ago,
  askButton,
  badge,
  envelopeLink,
  formButton,
  hidden,
  type Html,
  html,
  NONE,
  type Tone,
  when,
} from "../bits.ts";
import { bytes, duration, plural } from "../format.ts";
import type { Page, PageContext } from "../page.ts";
import { slotStrip } from "../slots.ts";

/** Others are gone for good, as a rule. */
const GONE_SHOWN = 20;

export const nodes: Page = {
  path: "/nodes",
  draw(context) {
    const all = context.snapshot.nodes;
    const alive = all.filter(({ alive }) => alive);
    const gone = all.filter(({ alive }) => !alive).slice(0, GONE_SHOWN);
    return Promise.resolve({
      title: "Nodes",
      sections: [
        {
          id: "alive",
          body: alive.length === 0
            ? html`<p class="empty">No node is alive. Start one with <code>dispatcher</code>.</p>`
            : html`<h2 class="unseen">Alive</h2>${alive.map((node) => card(context, node))}`,
        },
        {
          id: "gone",
          body: when(gone.length > 0, () =>
            html`
              <h2>Not alive</h2>
              <ul class="gone">${gone.map((node) =>
                html`
                  <li
                    data-key="${node.instance}"><b>${node.name}</b> ${stateOf(
                      node,
                    )} last seen <span class="num">${ago(node.last_seen, context.now)}</span> ago, on ${node
                      .host}</li>
                `
              )}</ul>
            `),
        },
      ],
    });
  },
};

function stateOf(node: NodeLook): Html {
  if (isSilent(node)) return badge("no answer", "bad");
  const tone: Record<NodeLook["state"], Tone> = {
    running: "good",
    draining: "warn",
    stopped: "off",
    lost: "bad",
  };
  const state = node.status?.state as NodeLook["state"] ?? node.state;
  return badge(state, tone[state] ?? "off");
}

function card(context: PageContext, node: NodeLook): Html {
  const { now } = context;
  const { status } = node;
  const lag = status?.loop_lag;
  const resources = status?.resources ?? node.resources;
  const facts: [string, Html | string][] = [
    ["Heartbeat", html`<span class="num">${ago(node.last_seen, now)}</span> ago`],
    ["Listener", listener(node)],
    ["Memory", node.status ? bytes(node.status.rss) : node.rss === null ? "–" : bytes(node.rss)],
    [
      "Event loop",
      lag === undefined ? "–" : html`<span class="num" data-tick>${duration(lag)}</span> a round`,
    ],
    ["Resources", resources ? usageWords(resources) : "–"],
    ["Slots", `${status?.total ?? node.slots} (${status?.min ?? node.min} to ${status?.max ?? node.max})`],
    ["Queues", node.queues.join(", ")],
    ["Runtime", `${node.runtime}, version ${node.version}`],
    ["Process", `${node.pid} on ${node.host}`],
    ["Up", html`<span class="num">${ago(node.started_at, now)}</span>`],
  ];
  return html`
    <article class="panel node" data-key="${node.instance}"
      aria-label="Node ${node.name}"><header><h3>${node.name}</h3>${stateOf(node)}${node.leader
        ? badge("leader", "busy")
        : NONE}</header>
    <p class="strip">${slotStrip(node)}</p>
    <dl class="facts">${facts.map(([name, value]) =>
      html`
        <div>
          <dt>${name}</dt>
          <dd>${value}</dd>
        </div>
      `
    )}</dl>
    ${running(context, node)}${when(context.mayAct, () => actions(context, node))}</article>
  `;
}

function listener({ status, listener }: NodeLook): Html {
  const heard = status?.connection ?? listener;
  return badge(heard, heard === "connected" ? "good" : "warn");
}

/** What runs there; the longest first. */
function running({ to }: PageContext, { name, status }: NodeLook): Html {
  if (status === null) return NONE;
  const attempts = status.workers.flatMap(({ running, tid }) => running.map((one) => ({ ...one, tid })));
  attempts.sort((a, b) => (b.seconds ?? 0) - (a.seconds ?? 0));
  if (attempts.length === 0) return html`<p class="empty">Nothing runs.</p>`;
  return html`
    <details id="running-${name}">
      <summary>${plural(attempts.length, "envelope")} running${status.queued.length > 0
        ? `, ${status.queued.length} claimed and before a slot`
        : ""}</summary>
      <ul class="running">${attempts.map(({ uuid, task, args, seconds, tid }) =>
        html`
          <li
            data-key="${uuid}"><span class="num" data-tick>${duration(
              Math.floor(seconds ?? 0),
            )}</span> ${envelopeLink(to, uuid)} <span class="mono clip">${callText(
              task,
              args,
            )}</span> <span class="dim">slot ${tid}</span></li>
        `
      )}</ul>
    </details>
  `;
}

function actions({ to, csrf, here }: PageContext, { name, status, state, min, max }: NodeLook): Html {
  const draining = (status?.state ?? state) === "draining";
  const fields = { node: name, back: here };
  const drain = draining
    ? formButton({
      action: to("/act/node/resume"),
      label: "Claim again",
      about: `Let node ${name} claim again`,
      csrf,
      fields,
    })
    : askButton(to(`/ask/node/drain?${new URLSearchParams(fields)}`), "Drain…", `Drain node ${name}`);
  const size = (key: "min" | "max", value: number) =>
    html`<label>${key} <input name="${key}" type="number" min="1" max="1000" required value="${value}" aria-label="${
      key === "min" ? "Least" : "Most"
    } slots of ${name}" id="${key}-${name}"></label>`;
  const levels = ["debug", "info", "warning", "error"].map((level) =>
    html`<option${
      level === (status?.log_level ?? "info")
        ? html`
          selected
        `
        : NONE
    }>${level}</option>`
  );
  return html`<div class="actions">${drain}
<form method="post" action="${to("/act/node/scale")}" class="inline">${csrf}${hidden(fields)}${
    size("min", status?.min ?? min)
  }${size("max", status?.max ?? max)}<button aria-label="Scale node ${name}">Scale</button></form>
<form method="post" action="${to("/act/node/log_level")}" class="inline">${csrf}${
    hidden(fields)
  }<select name="level" aria-label="Log level of ${name}" id="level-${name}">${levels}</select><button aria-label="Set log level of node ${name}">Set log level</button></form></div>`;
}
