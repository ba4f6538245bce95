/**
 * Help: what the search understands, what the words mean, and the keys.
 *
 * @module
 */
import { html, panel } from "../bits.ts";
import { keyTable } from "../layout.ts";
import type { Page } from "../page.ts";
import { stateBadge } from "../bits.ts";

const STATE_WORDS: [state: string, text: string][] = [
  ["scheduled", "It waits for its time, or behind an equal one"],
  ["available", "It waits for a node with a free slot"],
  ["running", "A node has claimed it"],
  ["retryable", "Its last attempt failed; it will be tried again"],
  ["completed", "It ended well; its result is kept for a while"],
  ["cancelled", "Somebody ended it"],
  ["discarded", "It failed for good, or somebody gave it up; retry brings it back"],
];

const SEARCHES: [word: string, text: string][] = [
  ["0199a2", "The envelopes whose uuid begins so; of one alone, its page"],
  ["task:mail/*", "Of this task; * at the end stands for anything"],
  ["queue:default", "In this queue"],
  ["state:running,retryable", "In one of these states"],
  ["node:one", "Claimed by this node last"],
  ["args.id:42", "With an argument that is an object whose id is 42"],
  ["args.0:42", "With 42 as the first argument"],
];

export const help: Page = {
  path: "/help",
  draw({ places }) {
    const states = html`<dl class="facts">${
      STATE_WORDS.map(([state, text]) =>
        html`
          <div>
            <dt>${stateBadge(state)}</dt>
            <dd>${text}</dd>
          </div>
        `
      )
    }</dl>`;
    const searches = html`<dl class="facts">${
      SEARCHES.map(([word, text]) =>
        html`
          <div>
            <dt><code>${word}</code></dt>
            <dd>${text}</dd>
          </div>
        `
      )
    }</dl>`;
    return Promise.resolve({
      title: "Help",
      still: true,
      sections: [
        { id: "states", body: panel("States", states) },
        { id: "search", body: panel("Search", searches) },
        { id: "keys", body: panel("Keys", keyTable(places)) },
      ],
    });
  },
};
