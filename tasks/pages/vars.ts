/**
 * Variables of people: as they may be shown, and as they are typed.
 *
 * @module
 */
import { DispatcherError } from "edge-dispatcher";
import { type Html, html, panel, pretty, redact } from "edge-dispatcher/view";
import { type Variables, variables } from "../jobs/model/unified_job.ts";

const TEXT_CHARS = 20_000;

/** As JSON, without the values of what is named like a secret. */
export function variablesPanel(title: string, given: Variables, id: string): Html {
  if (Object.keys(given).length === 0) return panel(title, html`<p class="empty">None.</p>`);
  const text = pretty(redact(given));
  const shown = text.length > TEXT_CHARS ? `${text.slice(0, TEXT_CHARS)}…` : text;
  return panel(title, html`<pre tabindex="0" id="${id}" aria-label="${title}">${shown}</pre>`);
}

/**
 * A JSON object as it was typed; nothing is none.
 *
 * @throws {DispatcherError} `usage`; it shows nothing of what was typed, which may hold secrets.
 */
export function readVariables(text: string | undefined): Variables {
  if (text === undefined || text.trim() === "") return {};
  const cannot = (why: string) => new DispatcherError("usage", `Cannot read the extra variables: ${why}`);
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw cannot('they are no JSON, such as {"version": "1.2"}');
  }
  const read = variables.safeParse(value);
  if (!read.success) throw cannot('they are no object, such as {"version": "1.2"}');
  return read.data;
}
