/**
 * The way of an envelope as a line: published, claimed, started, settled, and how long each step took.
 *
 * @module
 */
import { isFinal } from "../../state.ts";
import type { EnvelopeRow } from "../../store/store.ts";
import { type Html, html } from "./bits.ts";
import { clockTime, duration, exactTime, secondsBetween } from "./format.ts";

/** A step, and when it was taken; null when it has not been. */
export interface Step {
  name: string;
  at: string | null;
  tone: "done" | "now" | "next" | "bad";
}

/** The steps of its last attempt, and the others in a word each. */
export function stepsOf(row: EnvelopeRow): Step[] {
  const { state, created_at, due_at, claimed_at, finished_at, attempts } = row;
  const last = attempts.at(-1);
  const over = isFinal(state);
  // While it runs, the last record is of an attempt before.
  const started = over && last ? last.started_at : null;
  const steps: Step[] = [{ name: "published", at: created_at, tone: "done" }];
  if (due_at !== null) {
    steps.push({
      name: "due",
      at: due_at,
      tone: state === "scheduled" || state === "retryable" ? "now" : "done",
    });
  }
  if (attempts.length > (over ? 1 : 0)) {
    const earlier = attempts.slice(0, over ? -1 : undefined);
    steps.push({
      name: `${earlier.length} earlier ${earlier.length === 1 ? "attempt" : "attempts"}`,
      at: earlier.at(-1)!.finished_at,
      tone: "done",
    });
  }
  steps.push({ name: "claimed", at: claimed_at, tone: claimed_at === null ? "next" : "done" });
  if (over) {
    if (started !== null) steps.push({ name: "started", at: started, tone: "done" });
    steps.push({ name: state, at: finished_at, tone: state === "completed" ? "done" : "bad" });
  } else steps.push({ name: "settled", at: null, tone: state === "running" ? "now" : "next" });
  return steps.filter(({ at }, i, all) => at !== null || i === all.length - 1 || !over).sort(byTime);
}

function byTime(a: Step, b: Step): number {
  return a.at === null || b.at === null
    ? Number(a.at === null) - Number(b.at === null)
    : a.at < b.at
    ? -1
    : a.at > b.at
    ? 1
    : 0;
}

/** The line of an envelope. */
export function timeline(row: EnvelopeRow, now: string): Html {
  return stepLine(stepsOf(row), now);
}

/** Steps in their order, and how long each took from the one before. */
export function stepLine(steps: readonly Step[], now: string): Html {
  return html`<ol class="timeline">${
    steps.map(({ name, at, tone }, i) => {
      const before = steps[i - 1]?.at;
      const took = at !== null && before
        ? html`<span class="took">+${duration(secondsBetween(before, at))}</span>`
        : "";
      const time = at === null
        ? html`<span class="dim">not yet</span>`
        : html`<time datetime="${at}" title="${exactTime(at)}">${clockTime(at, now)}</time>`;
      return html`<li class="${tone}"><b>${name}</b> ${time} ${took}</li>`;
    })
  }</ol>`;
}
