/**
 * All actions by what they are done to, and the page that asks before one.
 *
 * @module
 */
import { type Html, html, NONE } from "../bits.ts";
import type { Drawn } from "../page.ts";
import type { Deed, Question } from "./action.ts";
import { envelopeDeeds } from "./envelopes.ts";
import { failureDeeds, nodeDeeds, queueDeeds, scheduleDeeds } from "./others.ts";

export const DEEDS: Readonly<Record<string, Readonly<Record<string, Deed>>>> = {
  envelopes: envelopeDeeds,
  queue: queueDeeds,
  node: nodeDeeds,
  schedule: scheduleDeeds,
  failures: failureDeeds,
};

/** What the page needs besides the question. */
export interface Asking {
  action: string;
  back: string;
  csrf: Html;
}

/** A page that says what will happen, with a button. */
export function questionPage(
  { title, text, button, fields, typed, inputs, nothing }: Question,
  { action, back, csrf }: Asking,
): Drawn {
  const hidden = Object.entries(fields).flatMap(([name, value]) =>
    [value].flat().map((one) => html`<input type="hidden" name="${name}" value="${one}">`)
  );
  const type = typed === undefined
    ? NONE
    : html`<p><label for="typed">Type <b class="mono">${typed}</b> to go on</label>
<input id="typed" name="typed" required autocomplete="off" spellcheck="false" autofocus></p>`;
  const form = html`
    <form method="post" action="${action}"
      class="question">${csrf}<input type="hidden" name="back" value="${back}">${hidden}${type}${inputs ??
        NONE}<div class="actions"><button class="danger">${button}</button> <a class="button" href="${back}">Do nothing</a></div></form>
  `;
  const body = html`${text}${
    nothing ? html`<p class="actions"><a class="button" href="${back}">Back</a></p>` : form
  }`;
  return { title, still: true, sections: [{ id: "question", body }] };
}
