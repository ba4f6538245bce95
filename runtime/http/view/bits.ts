/**
 * The small parts that pages are made of.
 *
 * @module
 */
import { html, raw } from "hono/html";
import type { HtmlEscapedString } from "hono/utils/html";
import type { State } from "../../state.ts";
import { age, exactTime, secondsBetween } from "./format.ts";

export { html, raw };
export type Html = HtmlEscapedString | Promise<HtmlEscapedString>;

/** Nothing, where a template wants something. */
export const NONE: Html = html``;

/** What is shown only sometimes. */
export function when(condition: unknown, make: () => Html): Html {
  return condition ? make() : NONE;
}

/** How a thing is: colour is never the only sign of it, the word is always there. */
export type Tone = "good" | "busy" | "wait" | "warn" | "bad" | "off";

const TONE_OF: Readonly<Record<State, Tone>> = {
  scheduled: "off",
  available: "wait",
  running: "busy",
  retryable: "warn",
  completed: "good",
  cancelled: "off",
  discarded: "bad",
};

/** A word in its colour. */
export function badge(text: string, tone: Tone): Html {
  return html`<span class="badge ${tone}">${text}</span>`;
}

/** The state of an envelope, or the outcome of an attempt. */
export function stateBadge(state: State | string): Html {
  return badge(state, toneOf(state));
}

export function toneOf(state: string): Tone {
  return TONE_OF[state as State] ?? (state === "retry" ? "warn" : "off");
}

/** How long ago; the script keeps it going. */
export function ago(iso: string | null, now: string): Html {
  if (iso === null) return html`<span class="dim">–</span>`;
  const seconds = secondsBetween(iso, now);
  const text = seconds < 0 ? `in ${age(-seconds)}` : age(seconds);
  return html`<time datetime="${iso}" title="${exactTime(iso)}" data-ago>${text}</time>`;
}

/** A short uuid that leads to its envelope. */
export function envelopeLink(
  to: (path: string) => string,
  uuid: string,
  text: string = shortUuid(uuid),
): Html {
  return html`<a class="mono" href="${to(`/envelopes/${uuid}`)}" title="${uuid}">${text}</a>`;
}

/** Of a version 7 uuid the milliseconds and the number within them; its end is shared by all of that millisecond. */
export function shortUuid(uuid: string): string {
  return uuid.slice(0, 18);
}

/** A button that acts at once, as a form of its own. */
export interface FormButton {
  action: string;
  label: string;
  csrf: Html;
  /** Hidden fields. */
  fields: Record<string, string>;
  /** Said by screen readers instead of the label, where the label alone would be the same in every row. */
  about?: string;
  tone?: "plain" | "danger";
}

/** A form with one button. */
export function formButton({ action, label, csrf, fields, about, tone = "plain" }: FormButton): Html {
  const name = about === undefined ? NONE : html`
    aria-label="${about}"
  `;
  return html`
    <form method="post" action="${action}"
      class="inline">${csrf}${hidden(fields)}<button class="${tone}"${name}>${label}</button></form>
  `;
}

export function hidden(fields: Record<string, string>): Html[] {
  return Object.entries(fields).map(([name, value]) =>
    html`<input type="hidden" name="${name}" value="${value}">`
  );
}

/** A link that looks like a button: to a page that asks once more. */
export function askButton(
  href: string,
  label: string,
  about: string,
  tone: "plain" | "danger" = "plain",
): Html {
  return html`<a class="button ${tone}" href="${href}" aria-label="${about}">${label}</a>`;
}

/** A column of a table. */
export interface Column<Row> {
  title: string;
  cell(row: Row): Html | string;
  /** Numbers stand at the right. */
  right?: boolean;
  /** Left out on narrow screens. */
  wide?: boolean;
}

export interface TableOptions<Row> {
  caption: string;
  columns: Column<Row>[];
  rows: Row[];
  /** Makes rows known again when the table is drawn anew. */
  key(row: Row): string;
  empty: Html | string;
}

/** A table that scrolls by itself where it is too wide. */
export function table<Row>({ caption, columns, rows, key, empty }: TableOptions<Row>): Html {
  if (rows.length === 0) return html`<p class="empty">${empty}</p>`;
  const classOf = ({ right, wide }: Column<Row>) => `${right ? "right" : ""}${wide ? " wide" : ""}`;
  return html`
    <div class="scroll" tabindex="0" role="region" aria-label="${caption}">
      <table>
        <caption class="unseen">${caption}</caption>
        <thead>
          <tr>${columns.map((column) =>
            html`<th scope="col" class="${classOf(column)}">${column.title}</th>`
          )}</tr>
        </thead>
        <tbody>${rows.map((row) =>
          html`<tr data-key="${key(row)}">${
            columns.map((column) => html`<td class="${classOf(column)}">${column.cell(row)}</td>`)
          }</tr>`
        )}</tbody>
      </table>
    </div>
  `;
}

/** A small chart of the last minute, one number a second. */
export function sparkline(values: readonly number[], label: string): Html {
  const most = Math.max(1, ...values);
  const [width, height] = [120, 22];
  const step = width / Math.max(1, values.length - 1);
  const points = values.map((value, i) =>
    `${(i * step).toFixed(1)},${(height - 1 - (value / most) * (height - 3)).toFixed(1)}`
  );
  return html`
    <svg class="spark" viewBox="0 0 ${width} ${height}" role="img" aria-label="${label}"
      preserveAspectRatio="none">
      <polygon points="0,${height} ${points.join(" ")} ${width},${height}" />
      <polyline points="${points.join(" ")}" />
    </svg>
  `;
}

/** A heading and what belongs to it. */
export function panel(title: string, body: Html, aside: Html = NONE): Html {
  return html`<div class="panel"><header><h2>${title}</h2>${aside}</header>${body}</div>`;
}
