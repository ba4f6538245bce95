import { diagnose, type Finding } from "../../runtime/doctor/doctor.ts";
import { EXIT } from "../../runtime/errors.ts";
import type { Parsed } from "../args.ts";
import { type Command, DATABASE_FLAGS, JSON_FLAG } from "../command.ts";
import type { IO } from "../io.ts";
import { oneLine } from "../table.ts";

const MARKS: Record<Finding["status"], string> = { ok: "ok", warning: "WARNING", failed: "FAILED" };

/** What is wrong, and what would repair it. */
export const doctor: Command = {
  summary: "Look at schema, connections, LISTEN, clocks, nodes, tasks and bloat; say what would repair them",
  usage: "[--repair]",
  flags: {
    repair: { type: "boolean", help: "Print what would repair it alone: SQL, and commands behind --" },
    ...JSON_FLAG,
    ...DATABASE_FLAGS,
  },
  async run({ config, flags, io }) {
    return writeFindings(io, await diagnose((await config()).config), flags);
  },
};

/** Print findings; the exit code that they mean. */
export function writeFindings(io: IO, findings: Finding[], flags: Parsed["flags"]): number {
  for (const finding of findings) {
    if (flags.json) io.out(JSON.stringify(finding));
    else if (flags.repair) { for (const line of repairLines(finding)) io.out(line); }
    else for (const line of findingLines(finding)) io.out(line);
  }
  return findings.some(({ status }) => status === "failed") ? EXIT.failed : EXIT.ok;
}

function findingLines({ check, status, text, repair }: Finding): string[] {
  const line = `${MARKS[status].padEnd(8)} ${check.padEnd(12)} ${oneLine(text)}`;
  return repair === undefined ? [line] : [line, ...repair.split("\n").map((part) => `    ${part}`)];
}

/** A script for psql; what is no SQL stands behind a comment's dashes. */
function repairLines({ status, text, repair }: Finding): string[] {
  if (status === "ok" || repair === undefined) return [];
  const lines = repair.startsWith("cli ") ? [`-- ${repair}`] : repair.split("\n");
  return [`-- ${oneLine(text)}`, ...lines];
}
