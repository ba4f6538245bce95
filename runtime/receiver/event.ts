/**
 * What a line of the queue says: an event of a job, the end of its stream, a wish to flush, or nothing that could ever
 * be written. Checked by hand: a schema costs more here than the writing does.
 *
 * @module
 */
import { isUuid } from "../uuid.ts";

/** An event as it is written. */
export interface JobEvent {
  /** The line that it came as. */
  text: string;
  jobId: number;
  uuid: string;
  counter: number;
  event: string;
  /** ISO, with an offset. */
  created: string;
  /** The same in milliseconds since 1970. */
  at: number;
  host: string;
  play: string;
  task: string;
  role: string;
  failed: boolean;
  changed: boolean;
  startLine: number;
  endLine: number;
  stdout: string;
  /** JSON of `event_data`; of the whole event where `whole`, since writing it anew would change its large numbers. */
  data: string;
  whole: boolean;
  /** JSON: how many hosts ended how, of the event that says so. */
  hostStatus?: string;
}

/** The end of a job's stream. */
export interface StreamEnd {
  text: string;
  jobId: number;
  finalCounter: number;
}

/** What no try will write. */
export interface Poison {
  text: string;
  jobId: number | null;
  reason: string;
}

/** A line, read. */
export type Line =
  | { kind: "event"; event: JobEvent }
  | { kind: "eof"; end: StreamEnd }
  | { kind: "flush" }
  | { kind: "poison"; poison: Poison };

type Fields = Record<string, unknown>;

const LARGEST_INT = 2_147_483_647;
const TIME = /^\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(?:\.\d{1,9})?(Z|[+-]\d\d(?::?\d\d)?)?$/i;
const FAILED = new Set(["runner_on_failed", "runner_on_unreachable", "runner_on_async_failed"]);
/** From the mildest to the worst: a host counts as the last that it is in. */
const HOST_STATUS = ["skipped", "ok", "changed", "failures", "dark"];

/** Why an event cannot be written. */
class Unfit extends Error {}

/**
 * Read a line; never throws.
 *
 * @example
 * ```ts
 * import { readLine } from "./event.ts";
 * readLine('{"event": "EOF", "job_id": 7, "final_counter": 12}');
 * // { kind: "eof", end: { jobId: 7, finalCounter: 12, … } }
 * ```
 */
export function readLine(text: string): Line {
  let jobId: number | null = null;
  try {
    let fields = parse(text);
    if (fields.event === "FLUSH") return { kind: "flush" };
    jobId = jobOf(fields);
    const odd = hasOddEscapes(text);
    if (odd) fields = mend(fields, "") as Fields;
    if (fields.event === "EOF") {
      return { kind: "eof", end: { text, jobId, finalCounter: count(fields, "final_counter") } };
    }
    return { kind: "event", event: eventOf(fields, jobId, text, odd) };
  } catch (error) {
    if (error instanceof Unfit) return { kind: "poison", poison: { text, jobId, reason: error.message } };
    // A text nested so deeply that looking through it exhausts the stack.
    return { kind: "poison", poison: { text, jobId, reason: `Cannot be read: ${(error as Error).message}` } };
  }
}

/** Whether what has been gathered should be written without waiting for more. */
export function isUrgent(text: string): boolean {
  return text.length <= 400 && (text.includes('"FLUSH"') || text.includes('"EOF"'));
}

function parse(text: string): Fields {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw new Unfit(`It is not JSON: ${(error as Error).message}`);
  }
  if (typeof value === "object" && value !== null && !Array.isArray(value)) return value as Fields;
  const kind = value === null ? "null" : Array.isArray(value) ? "an array" : `a ${typeof value}`;
  throw new Unfit(`It is ${kind}, not an object`);
}

function jobOf({ job_id: id }: Fields): number {
  if (typeof id === "number" && Number.isSafeInteger(id) && id > 0) return id;
  throw new Unfit(`Its job_id is ${shown(id)}, not the number of a job`);
}

function eventOf(fields: Fields, jobId: number, text: string, odd: boolean): JobEvent {
  const { uuid, event } = fields;
  if (typeof uuid !== "string" || !isUuid(uuid)) throw new Unfit(`Its uuid is ${shown(uuid)}`);
  if (typeof event !== "string" || event === "") throw new Unfit(`Its event is ${shown(event)}, not a name`);
  const counter = count(fields, "counter");
  if (counter === 0) throw new Unfit("Its counter is 0: they begin with 1");
  const { created, at } = timeOf(fields.created);
  const data = dataOf(fields.event_data);
  // What was mended must not come from the text; large numbers beside it are rarer still.
  const raw = odd ? undefined : rawData(fields, text);
  const whole = !odd && raw === undefined && fields.event_data != null && hasLongNumber(text);
  return {
    text,
    jobId,
    uuid,
    counter,
    event,
    created,
    at,
    host: word(fields, data, "host"),
    play: word(fields, data, "play"),
    task: word(fields, data, "task"),
    role: word(fields, data, "role"),
    failed: flag(fields, "failed") ?? FAILED.has(event),
    changed: flag(fields, "changed") ?? (data.res as Fields | undefined)?.changed === true,
    startLine: count(fields, "start_line", 0),
    endLine: count(fields, "end_line", 0),
    stdout: word(fields, {}, "stdout"),
    data: raw ?? (whole ? text : JSON.stringify(data)),
    whole,
    hostStatus: event === "playbook_on_stats" ? JSON.stringify(hostStatusCounts(data)) : undefined,
  };
}

function count(fields: Fields, name: string, otherwise?: number): number {
  const value = fields[name] ?? otherwise;
  if (typeof value === "number" && Number.isInteger(value) && value >= 0 && value <= LARGEST_INT) {
    return value;
  }
  throw new Unfit(`Its ${name} is ${shown(value)}, not a number from 0 to ${LARGEST_INT}`);
}

/** AWX's own events have some of these in their data only. */
function word(fields: Fields, data: Fields, name: string): string {
  const value = fields[name];
  if (typeof value === "string") return value;
  if (value != null) throw new Unfit(`Its ${name} is ${shown(value)}, not a text`);
  return typeof data[name] === "string" ? data[name] : "";
}

function flag(fields: Fields, name: string): boolean | undefined {
  const value = fields[name] ?? undefined;
  if (value === undefined || typeof value === "boolean") return value;
  throw new Unfit(`Its ${name} is ${shown(value)}, not true or false`);
}

function dataOf(value: unknown): Fields {
  if (value == null) return {};
  if (typeof value === "object" && !Array.isArray(value)) return value as Fields;
  throw new Unfit(`Its event_data is ${shown(value)}, not an object`);
}

const DATA = '"event_data":';

/**
 * `event_data` as it stands in the text, where that is plain: named once, and the last one of all. To write it anew takes
 * a tenth of what an event costs here, and would change large numbers.
 */
function rawData(fields: Fields, text: string): string | undefined {
  const at = text.indexOf(DATA);
  if (at < 0 || fields.event_data == null || text.includes(DATA, at + DATA.length)) return undefined;
  let last: string | undefined;
  for (const name in fields) {
    // Names that are numbers come first here, wherever they stand.
    if (last === undefined && isDigit(name, 0)) return undefined;
    last = name;
  }
  return last === "event_data" ? text.slice(at + DATA.length, text.lastIndexOf("}")) : undefined;
}

/** Without an offset it is UTC, as Python writes it. */
function timeOf(value: unknown): { created: string; at: number } {
  const found = typeof value === "string" ? TIME.exec(value) : null;
  if (!found) throw new Unfit(`Its created is ${shown(value)}, not a time such as 2026-11-28T10:00:00Z`);
  const [text, offset] = found;
  const created = offset === undefined ? `${text}Z` : text;
  const iso = offset === undefined || offset.length !== 3 ? created : `${created}:00`;
  const at = Date.parse(iso.replace(" ", "T"));
  if (Number.isNaN(at)) throw new Unfit(`Its created is ${shown(value)}: there is no such time`);
  return { created, at };
}

/** Whether there are escapes of NUL or of halves of characters. By hand: a regular expression takes ten times as long. */
function hasOddEscapes(text: string): boolean {
  for (let i = text.indexOf("\\u"); i >= 0; i = text.indexOf("\\u", i + 2)) {
    const first = text.charCodeAt(i + 2) | 32;
    // D800 to DFFF.
    if (first === 100 && !(text.charCodeAt(i + 3) < 56)) return true;
    if (text.startsWith("0000", i + 2)) return true;
  }
  return false;
}

const LONG = 16;

/** Whether there is a number that a double may not hold. Of so many digits in a row one is at every sixteenth place. */
function hasLongNumber(text: string): boolean {
  for (let i = LONG - 1; i < text.length; i += LONG) {
    if (!isDigit(text, i)) continue;
    let [first, last] = [i, i];
    while (isDigit(text, first - 1)) first--;
    while (isDigit(text, last + 1)) last++;
    if (last - first + 1 >= LONG) return true;
  }
  return false;
}

function isDigit(text: string, place: number): boolean {
  const code = text.charCodeAt(place);
  return code >= 48 && code <= 57;
}

/** Refuse NUL, which no text of the database holds; halves of characters become U+FFFD, as in every other output. */
function mend(value: unknown, place: string): unknown {
  if (typeof value === "string") {
    if (value.includes("\0")) throw new Unfit(`There is a NUL in its ${place || "text"}`);
    return value.isWellFormed() ? value : value.toWellFormed();
  }
  if (typeof value !== "object" || value === null) return value;
  if (Array.isArray(value)) return value.map((one) => mend(one, place));
  return Object.fromEntries(
    Object.entries(value).map(([key, one]) => [mend(key, place), mend(one, key)]),
  );
}

/**
 * How many hosts ended how, from the data of `playbook_on_stats`.
 *
 * @example
 * ```ts
 * import { hostStatusCounts } from "./event.ts";
 * hostStatusCounts({ ok: { a: 3, b: 1 }, dark: { b: 1 } }); // { ok: 1, dark: 1 }
 * ```
 */
export function hostStatusCounts(data: Record<string, unknown>): Record<string, number> {
  const worst = new Map<string, string>();
  for (const status of HOST_STATUS) {
    const hosts = data[status];
    if (typeof hosts !== "object" || hosts === null) continue;
    for (const host of Object.keys(hosts)) worst.set(host, status);
  }
  const counts: Record<string, number> = {};
  for (const status of worst.values()) counts[status] = (counts[status] ?? 0) + 1;
  return counts;
}

/** A value in a message, cut short. */
function shown(value: unknown): string {
  if (value === undefined) return "missing";
  const text = JSON.stringify(value) ?? String(value);
  return text.length <= 60 ? text : `${text.slice(0, 60)}…`;
}
