/**
 * The attempts of an envelope, a card each, the last one first.
 *
 * @module
 */
import type { ErrorRecord } from "../../errors.ts";
import type { AttemptRecord, EnvelopeRow } from "../../store/store.ts";
import { ago, badge, type Html, html, NONE, panel, stateBadge } from "./bits.ts";
import { clockTime, duration, exactTime, secondsBetween } from "./format.ts";
import type { PageContext } from "./page.ts";

/** The cards. */
export function attemptCards(row: EnvelopeRow, { now }: PageContext): Html {
  const cards = row.attempts.map((attempt) => past(attempt, now)).reverse();
  if (row.state === "running") cards.unshift(current(row, now));
  const body = cards.length === 0 ? html`<p class="empty">It has not been tried yet.</p>` : html`${cards}`;
  return panel("Attempts", body);
}

function current({ attempt, node, claimed_at }: EnvelopeRow, now: string): Html {
  return html`
    <article class="attempt" data-key="a-now" aria-label="Attempt ${attempt}, running">
      <header><h3>Attempt ${attempt}</h3>${badge("running", "busy")}
    <span>on <b>${node}</b> for <span class="num">${ago(claimed_at, now)}</span></span></header>
    </article>
  `;
}

function past(
  { attempt, node, worker, started_at, finished_at, outcome, error }: AttemptRecord,
  now: string,
): Html {
  const took = started_at === null
    ? "never started"
    : `took ${duration(secondsBetween(started_at, finished_at))}`;
  const place = worker === null ? "" : `, worker ${worker}`;
  return html`
    <article class="attempt" data-key="a-${finished_at}"
      aria-label="Attempt ${attempt}, ${outcome}"><header><h3>Attempt ${attempt}</h3>${stateBadge(outcome)}
    <span>on <b>${node}</b>${place}, ${took}, ended <time datetime="${finished_at}" title="${exactTime(
      finished_at,
    )}">${clockTime(finished_at, now)}</time></span></header>${error
      ? errorOf(error, `${attempt}-${finished_at}`)
      : NONE}</article>
  `;
}

/** The error, and its stack for who wants it. */
export function errorOf({ name, message, stack }: ErrorRecord & { stack?: string }, key: string): Html {
  const trace = stack
    ? html`
      <details id="stack-${key}">
        <summary>Stack</summary>
        <pre tabindex="0" aria-label="Stack">${stack}</pre>
      </details>
    `
    : NONE;
  return html`<p class="error"><b>${name}</b> ${message}</p>${trace}`;
}
