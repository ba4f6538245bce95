/**
 * What must hold of the logs and of the processes of a chaos run.
 *
 * @module
 */
import type { Evidence } from "./evidence.ts";
import type { LogLine } from "./fleet.ts";
import type { Law } from "./invariants.ts";

/** Said once at the begin and once at the end of an outage, by each part of a node that notices it. */
const OUTAGE_EVENTS = new Set([
  "store.down",
  "store.up",
  "store.unavailable",
  "service.failing",
  "service.up",
  "listen.lost",
  "listen.down",
  "listen.up",
  "deliver.failed",
  "store.reconciled",
  "lease.lost",
]);
/** An outage has several shapes as seen from one part: an error, a refused connection, a server that starts. */
const PER_OUTAGE = 6;
/** Lines of one event within {@link WINDOW_MS}: more come from a loop that does not rest. */
const MOST_IN_WINDOW = 100;
const WINDOW_MS = 1_000;

/** An error that nobody caught, as the three runtimes print it. */
const UNCAUGHT =
  /Uncaught|unhandled ?rejection|UnhandledPromise|^error: |\bat .*\.ts:\d+:\d+\)?$|panicked at/i;

/** No node ended but by our hand. */
export const alive: Law = ({ surprises }) =>
  surprises.map(({ node, how, last }) =>
    `${node} ${how}; its last lines:\n${last.map((line) => `      ${line}`).join("\n")}`
  );

/** No error went uncaught. */
export const nothingUncaught: Law = ({ logs }) =>
  Object.entries(logs).flatMap(([node, lines]) =>
    lines.filter(({ text }) => eventOf(text) === undefined && UNCAUGHT.test(text)).map(({ text }) =>
      `${node}: ${text}`
    )
  );

/** One line at the begin of an outage and one at its end, not one a try. */
export const fewLines: Law = ({ logs, outages }) =>
  Object.entries(logs).flatMap(([node, lines]) => {
    const counts = new Map<string, number>();
    for (const { text } of lines) {
      const event = eventOf(text);
      if (event === undefined || !OUTAGE_EVENTS.has(event)) continue;
      // Each service speaks for itself.
      const service = /Service ([a-z ]+?) (?:failed|works)/.exec(text)?.[1] ?? "";
      const key = `${event} ${service}`.trim();
      counts.set(key, (counts.get(key) ?? 0) + 1);
    }
    const most = PER_OUTAGE * (outages + 1);
    return [...counts].filter(([, n]) => n > most).map(([event, n]) =>
      `${node} said ${event} ${n} times in ${outages} outages (${most} at most)`
    );
  });

/** No part of a node goes round without a rest. */
export const noBusyLoop: Law = ({ logs }) =>
  Object.entries(logs).flatMap(([node, lines]) => {
    const byEvent = Map.groupBy(lines, ({ text }) => eventOf(text) ?? "(no event)");
    return [...byEvent].flatMap(([event, of]) => {
      const n = mostWithin(of);
      return n > MOST_IN_WINDOW ? [`${node} said ${event} ${n} times within ${WINDOW_MS} ms`] : [];
    });
  });

export const LOG_LAWS: Readonly<Record<string, Law>> = {
  "no node ended by itself": alive,
  "no error went uncaught": nothingUncaught,
  "an outage is few lines": fewLines,
  "no busy loop": noBusyLoop,
};

/** The event of a line of our JSON log. */
export function eventOf(text: string): string | undefined {
  if (!text.startsWith("{")) return undefined;
  try {
    return JSON.parse(text).event;
  } catch {
    return undefined;
  }
}

function mostWithin(lines: LogLine[]): number {
  let most = 0;
  let from = 0;
  for (const [i, { at }] of lines.entries()) {
    while (at - lines[from].at > WINDOW_MS) from++;
    most = Math.max(most, i - from + 1);
  }
  return most;
}

/** Judge by laws; each that is broken with what breaks it. */
export function judge(laws: Readonly<Record<string, Law>>, evidence: Evidence): Record<string, string[]> {
  return Object.fromEntries(Object.entries(laws).map(([name, law]) => [name, law(evidence)]));
}
