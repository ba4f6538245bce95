/**
 * What is typed to find jobs: `status:failed kind:job template:7 node:one` and the beginning of a name. The URL holds it.
 *
 * @module
 */
import { didYouMean, quoted, words } from "edge-dispatcher/view";
import {
  JOB_KINDS,
  type JobKind,
  type JobStatus,
  STATUSES,
  TEMPLATE_KINDS,
  type TemplateKind,
} from "../jobs/model/unified_job.ts";

/** Which jobs; all that is given must hold. */
export interface JobSearch {
  status?: readonly JobStatus[];
  kind?: readonly JobKind[];
  template?: { kind: TemplateKind; id: number };
  node?: string;
  /** The beginning of the name. */
  name?: string;
}

/** What was typed, as it was understood, and what was not, as sentences. */
export interface ReadSearch {
  filter: JobSearch;
  faults: string[];
}

const KEYS = ["status", "kind", "template", "node"];
const LONGEST = 2_000;
const MOST_ID = 9_007_199_254_740_991;

/** Read what was typed. */
export function readJobSearch(text: string): ReadSearch {
  const found: ReadSearch = { filter: {}, faults: [] };
  for (const { key, value } of words(text.replaceAll("\0", "").slice(0, LONGEST))) {
    if (key === undefined) found.filter.name = value.replace(/\*$/, "");
    else if (key === "node") found.filter.node = value;
    else if (key === "template") template(found, value);
    else if (key === "status") found.filter.status = oneOf(found, "status", STATUSES, value);
    else if (key === "kind") found.filter.kind = oneOf(found, "kind", JOB_KINDS, value);
    else found.faults.push(`Cannot search by "${key}:"${didYouMean(key, KEYS)}: ${KEYS.join(", ")}`);
  }
  return found;
}

function oneOf<T extends string>(
  { faults }: ReadSearch,
  key: string,
  known: readonly T[],
  text: string,
): T[] {
  const given = text.toLowerCase().split(",");
  for (const word of given) {
    if (!known.includes(word as T)) {
      faults.push(`No ${key} "${word}"${didYouMean(word, known)}: ${known.join(", ")}`);
    }
  }
  return known.filter((word) => given.includes(word));
}

/** `7` is a job template, others are said with their kind: `workflow_template:2`. */
function template({ filter, faults }: ReadSearch, text: string): void {
  const found = readTemplate(text);
  if (found) filter.template = found;
  else {
    faults.push(`No template "${text}": it is an id, or KIND:ID with one of ${TEMPLATE_KINDS.join(", ")}`);
  }
}

/** `KIND:ID`, or the id of a job template. */
export function readTemplate(text: string): { kind: TemplateKind; id: number } | undefined {
  const [, kind = "job_template", digits] = /^(?:(\w+):)?(\d+)$/.exec(text) ?? [];
  const id = Number(digits);
  if (!TEMPLATE_KINDS.includes(kind as TemplateKind) || !(id <= MOST_ID)) return undefined;
  return { kind: kind as TemplateKind, id };
}

/** A search as it would be typed. */
export function jobSearchText({ status, kind, template, node, name }: JobSearch): string {
  return [
    status && `status:${status.join(",")}`,
    kind && `kind:${kind.join(",")}`,
    template && `template:${templateText(template)}`,
    node && `node:${quoted(node)}`,
    name && quoted(name),
  ].filter(Boolean).join(" ");
}

export function templateText({ kind, id }: { kind: TemplateKind; id: number }): string {
  return kind === "job_template" ? `${id}` : `${kind}:${id}`;
}

/** An id in a path; undefined when it is none. */
export function readId(text: string): number | undefined {
  return /^\d{1,16}$/.test(text) && Number(text) <= MOST_ID ? Number(text) : undefined;
}
