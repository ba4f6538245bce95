/**
 * What the doctor found. It takes seconds and a connection of its own, so it is asked once a minute at most, and a page
 * does not wait for it for long.
 *
 * @module
 */
import { errorLine } from "../../errors.ts";
import type { HttpParts } from "../parts.ts";
import { ago, badge, type Html, html, panel, type Tone, when } from "./bits.ts";
import type { PageContext } from "./page.ts";

type Findings = Awaited<ReturnType<NonNullable<HttpParts["diagnose"]>>>;
interface Visit {
  begun: number;
  /** ISO, by the database's clock. */
  at: string;
  findings: Findings | null;
  ended: Promise<unknown>;
}

const EVERY_MS = 60_000;
const PATIENCE_MS = 1_500;
const TONES: Record<Findings[number]["status"], Tone> = { ok: "good", warning: "warn", failed: "bad" };
const visits = new WeakMap<HttpParts, Visit>();

/** The findings, the worst first. */
export async function doctorPanel({ parts, now }: PageContext): Promise<Html> {
  if (!parts.diagnose) return panel("Doctor", html`<p class="empty">Nobody is asked here.</p>`);
  const visit = visitOf(parts, now);
  if (visit.findings === null) {
    await Promise.race([visit.ended, parts.clock.sleep(PATIENCE_MS, parts.closing)]);
  }
  const { findings, at } = visit;
  if (findings === null) return panel("Doctor", html`<p class="empty">The doctor is looking.</p>`);
  const order = ["failed", "warning", "ok"];
  const rows = findings.toSorted((a, b) => order.indexOf(a.status) - order.indexOf(b.status));
  const list = html`<ul class="findings">${
    rows.map(({ check, status, text, repair }) =>
      html`<li>${badge(status, TONES[status])}<span><b>${check}</b> ${text}${
        when(repair, () => html`<br><code>${repair}</code>`)
      }</span></li>`
    )
  }</ul>`;
  return panel(
    "Doctor",
    list,
    html`<span class="dim">looked <span class="num">${ago(at, now)}</span> ago</span>`,
  );
}

function visitOf(parts: HttpParts, now: string): Visit {
  const last = visits.get(parts);
  if (last && parts.clock.now() - last.begun < EVERY_MS) return last;
  // Until it is back, what was found before stands.
  const visit: Visit = {
    begun: parts.clock.now(),
    at: last?.at ?? now,
    findings: last?.findings ?? null,
    ended: Promise.resolve(),
  };
  visit.ended = parts.diagnose!().catch((error): Findings => [
    { check: "doctor", status: "failed", text: errorLine(error) },
  ]).then((findings) => Object.assign(visit, { findings, at: now }));
  visits.set(parts, visit);
  return visit;
}
