/**
 * What the doctor found, or, where there is none yet, what the probes of this node say.
 *
 * @module
 */
import { badge, type Html, html, panel } from "./bits.ts";
import type { PageContext } from "./page.ts";

/** The findings. */
export function doctorPanel({ parts }: PageContext): Promise<Html> {
  const { ready: _, ...checks } = parts.node.readiness();
  const words: Record<string, string> = {
    database: "The database answers",
    listen: "Notifications are heard",
    slot: "A slot can run something",
    draining: "It takes new work",
  };
  const body = html`<ul class="findings">${
    Object.entries(checks).map(([name, holds]) => {
      const well = name === "draining" ? !holds : holds;
      return html`<li>${badge(well ? "ok" : "no", well ? "good" : "bad")} ${words[name] ?? name}</li>`;
    })
  }</ul>`;
  return Promise.resolve(panel(`Checks of node ${parts.node.name}`, body));
}
