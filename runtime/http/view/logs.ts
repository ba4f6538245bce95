/**
 * What the attempts of an envelope have printed.
 *
 * @module
 */
import type { EnvelopeRow } from "../../store/store.ts";
import { type Html, html, NONE, panel } from "./bits.ts";
import { clockTime } from "./format.ts";
import type { PageContext } from "./page.ts";

const MOST_LINES = 500;

/** The lines, or nothing when there are none. */
export async function logPanel({ client, now }: PageContext, { uuid }: EnvelopeRow): Promise<Html> {
  const lines = await client.logs(uuid, { limit: MOST_LINES });
  if (lines.length === 0) return NONE;
  const shown = lines.map(({ at, level, text, attempt }) =>
    html`
      <li
        class="${level}"><span class="dim">${attempt} ${clockTime(
          at,
          now,
        )}</span> <b class="level">${level}</b> ${text}</li>
    `
  );
  const cut = lines.length < MOST_LINES
    ? NONE
    : html`<p class="note">The first ${MOST_LINES} lines; <code>logs ${uuid}</code> on the command line has all.</p>`;
  return panel("Log", html`<ol class="log" tabindex="0" aria-label="Log">${shown}</ol>${cut}`);
}
