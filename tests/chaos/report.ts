/**
 * What a chaos run says at its end.
 *
 * @module
 */
import type { ChaosReport } from "./chaos.ts";

const SHOWN = 10;

/** Whether every law held and everything came to its end. */
export function held({ verdicts, unfinished }: ChaosReport): boolean {
  return unfinished.length === 0 && Object.values(verdicts).every((breaches) => breaches.length === 0);
}

/** The summary, with what broke a law. */
export function summary(report: ChaosReport): string {
  const { seed, evidence, verdicts, faults, unfinished, wired, retries, vigils, seconds, longest } = report;
  const states = countBy(evidence.archive.map(({ state }) => state));
  const outcomes = countBy(
    evidence.archive.flatMap(({ attempts }) => attempts.map(({ outcome }) => outcome)),
  );
  const total = Object.values(faults).reduce((sum, n) => sum + n, 0);
  const lines = [
    `seed ${seed}: ${evidence.published.length} published and acknowledged, ${wired.sent} sent over the wire (${wired.final} ran), ${retries} retries of publishers`,
    `archive: ${evidence.archive.length} rows (${say(states)}); attempts: ${
      say(outcomes)
    }; ${evidence.runs.length} runs recorded, ${
      evidence.archive.filter(({ handed }) => handed).length
    } handed over, ${vigils} times some node looked by itself`,
    `faults: ${total} in ${seconds.faults.toFixed(1)} s (${say(faults)})`,
    `all final ${seconds.settling.toFixed(1)} s after the last was mended; the longest took ${
      longest.took.toFixed(1)
    } s (${longest.what})`,
    "",
  ];
  for (const [law, breaches] of Object.entries(verdicts)) {
    lines.push(
      `${breaches.length === 0 ? "held  " : "BROKEN"} ${law}${
        breaches.length ? ` (${breaches.length})` : ""
      }`,
    );
    for (const breach of breaches.slice(0, SHOWN)) lines.push(`         ${breach}`);
  }
  if (unfinished.length > 0) lines.push("", ...unfinishedLines(report));
  lines.push("", held(report) ? `passed, seed ${seed}` : `FAILED, seed ${seed}`);
  return lines.join("\n");
}

/** What is not final, and why. */
function unfinishedLines({ unfinished, evidence }: ChaosReport): string[] {
  const shown = unfinished.slice(0, 4 * SHOWN).map((row) =>
    `  ${row.uuid} ${row.task} on ${row.queue}: ${row.state}, attempt ${row.attempt}, fence ${row.fence}: ${
      whyOf(row)
    }`
  );
  const lines = Object.entries(evidence.logs).flatMap(([node, log]) => [
    `  last lines of ${node}:`,
    ...log.slice(-SHOWN).map(({ text }) => `    ${text}`),
  ]);
  return [`not final: ${unfinished.length}`, ...shown, ...lines];
}

function whyOf({ state, node, held_by_live, blocked, due_at }: ChaosReport["unfinished"][number]): string {
  if (state === "running") {
    return held_by_live ? `runs on ${node}, which lives` : `was left by ${node}, and not rescued`;
  }
  if (blocked) return "stands behind an equal one";
  return state === "available" ? "nobody claims it" : `due at ${due_at}`;
}

function countBy(items: string[]): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const item of items) counts[item] = (counts[item] ?? 0) + 1;
  return counts;
}

const say = (counts: Record<string, number>) =>
  Object.entries(counts).map(([name, n]) => `${n} ${name}`).join(", ") || "none";
