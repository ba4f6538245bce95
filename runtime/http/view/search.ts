/**
 * The one search box: a uuid or the beginning of one, or words such as `task:mail/* state:discarded args.id:42`.
 * Values with spaces stand in quotes.
 *
 * @module
 */
import { isSecretName } from "../../redact.ts";
import { type State, STATES } from "../../state.ts";
import type { PageFilter } from "../../store/look.ts";
import { didYouMean } from "../../suggest.ts";

/** What was typed, as it was understood. */
export interface Search {
  filter: PageFilter;
  /** A uuid or the beginning of one, and nothing else. */
  uuid?: string;
  /** What could not be understood, as sentences. */
  faults: string[];
}

const KEYS = ["task", "queue", "state", "node"];
const LONGEST = 2_000;

/** Read what was typed. */
export function readSearch(text: string): Search {
  const found: Search = { filter: {}, faults: [] };
  for (const { key, value } of words(text.replaceAll("\0", "").slice(0, LONGEST))) {
    if (key === undefined) bare(found, value);
    else if (key.startsWith("args.")) argument(found, key.slice("args.".length), value);
    else if (key === "state") state(found, value);
    else if (key === "task" || key === "queue" || key === "node") found.filter[key] = value;
    else {found.faults.push(
        `Cannot search by "${key}:"${didYouMean(key, KEYS)}: ${KEYS.join(", ")} or args.NAME`,
      );}
  }
  const { uuid, ...others } = found.filter;
  if (uuid !== undefined && Object.keys(others).length === 0) found.uuid = uuid;
  return found;
}

/** `key:value`, `key:"a value"` or a word alone. */
export interface Word {
  key?: string;
  value: string;
}

/** The words of what was typed; keys in small letters. */
export function* words(text: string): Generator<Word> {
  const pattern = /(?:([\w.-]+):)?(?:"((?:[^"\\]|\\.)*)"|(\S+))/g;
  for (const [, key, quoted, plain] of text.matchAll(pattern)) {
    yield {
      key: key?.replace(/^(?!args\.).*/, (word) => word.toLowerCase()),
      value: quoted?.replace(/\\(.)/g, "$1") ?? plain,
    };
  }
}

function bare(found: Search, value: string): void {
  const isUuid = /^[0-9a-f-]{4,36}$/i.test(value) && /\d/.test(value);
  if (isUuid) found.filter.uuid = value.toLowerCase();
  else found.filter.task = value.endsWith("*") ? value : `${value}*`;
}

function state({ filter, faults }: Search, value: string): void {
  for (const word of value.toLowerCase().split(",")) {
    if (STATES.includes(word as State)) filter.state = [...filter.state ?? [], word as State];
    else faults.push(`No state "${word}"${didYouMean(word, STATES)}: ${STATES.join(", ")}`);
  }
}

function argument({ filter, faults }: Search, member: string, value: string): void {
  // A search would tell what is hidden, a guess at a time.
  if (isSecretName(member)) faults.push(`Cannot search by "args.${member}:": its value is hidden`);
  else filter.args = [...filter.args ?? [], { member, value }];
}

/** A filter as it would be typed. */
export function searchText({ state, queue, task, node, uuid, args = [] }: PageFilter): string {
  const words = [
    uuid,
    task && `task:${quoted(task)}`,
    queue && `queue:${quoted(queue)}`,
    state && `state:${state.join(",")}`,
    node && `node:${quoted(node)}`,
    ...args.map(({ member, value }) => `args.${member}:${quoted(value)}`),
  ];
  return words.filter(Boolean).join(" ");
}

/** A value with what would end it, in quotes. */
export function quoted(value: string): string {
  return /^[^\s"]+$/.test(value) ? value : `"${value.replace(/["\\]/g, "\\$&")}"`;
}
