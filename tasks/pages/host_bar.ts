/**
 * How many hosts ended how, as a bar with its words.
 *
 * @module
 */
import { badge, count, type Html, html, NONE, panel, plural, type Tone } from "edge-dispatcher/view";
import type { UnifiedJob } from "../jobs/model/unified_job.ts";

/** Worst first, so that what is bad is at the left end however small it is. Ansible's words, and AWX's for them. */
const OUTCOMES: readonly [names: readonly string[], word: string, tone: Tone][] = [
  [["failures", "failed"], "failed", "bad"],
  [["dark", "unreachable"], "unreachable", "bad"],
  [["changed"], "changed", "warn"],
  [["ok"], "ok", "good"],
  [["rescued"], "rescued", "wait"],
  [["ignored"], "ignored", "off"],
  [["skipped"], "skipped", "off"],
  [["processed"], "processed", "off"],
];
const [WIDTH, HEIGHT, LEAST] = [600, 10, 4];

/** A bar; nothing for what has no hosts. */
export function hostBar({ host_status_counts: counts }: UnifiedJob): Html {
  if (counts === null) return NONE;
  const parts = OUTCOMES.flatMap(([names, word, tone]) => {
    const n = names.reduce((sum, name) => sum + (counts[name] ?? 0), 0);
    return n > 0 && word !== "processed" ? [{ word, tone, n }] : [];
  });
  const all = parts.reduce((sum, { n }) => sum + n, 0);
  if (all === 0) return NONE;
  const scale = (WIDTH - parts.length * LEAST) / all;
  let x = 0;
  const bars = parts.map(({ word, tone, n }) => {
    const width = LEAST + n * scale;
    const bar = html`<rect class="${tone} ${word}" x="${x.toFixed(1)}" width="${
      width.toFixed(1)
    }" height="${HEIGHT}" />`;
    x += width;
    return bar;
  });
  const label = parts.map(({ word, n }) => `${n} ${word}`).join(", ");
  return panel(
    "Hosts",
    html`
      <svg class="bar-line" viewBox="0 0 ${WIDTH} ${HEIGHT}" role="img" aria-label="${plural(
        all,
        "host",
      )}: ${label}"
        preserveAspectRatio="none">${bars}</svg>
      <p class="legend">${parts.map(({ word, tone, n }) =>
        html`<span>${badge(word, tone)} <b class="num">${count(n)}</b></span>`
      )}</p>
    `,
  );
}
