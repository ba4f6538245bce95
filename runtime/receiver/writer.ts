/**
 * Writes the events of a claim: all at once, and when the database refuses that, by halves down to the one that is to
 * blame. It is set aside with the reason, and so are events of jobs that are gone. Each step may be done twice: rows are
 * known by their keys.
 *
 * | what | tries | then |
 * |---|---|---|
 * | it cannot be read, has a NUL, a field of the wrong kind | 1: no other would end otherwise | set aside |
 * | the database refuses its values | 3, alone | set aside |
 * | its job does not exist | 3 | set aside |
 * | the database does not answer, or not as it should | | the error is the caller's, nothing is set aside for it |
 *
 * @module
 */
import { bareArray, isForContent } from "../store/connection.ts";
import * as SQL from "../store/sql_receiver.ts";
import { type JobEvent, type Line, readLine, type StreamEnd } from "./event.ts";
import type { Run } from "./source.ts";

/** What became of a claim. */
export interface Written {
  /** Rows that are new. */
  saved: number;
  /** Events that were there already. */
  known: number;
  setAside: number;
  /** Whether the end of a stream was among them. */
  ended: boolean;
  /** When the events came about, in milliseconds since 1970. */
  times: number[];
}

/** An event that was tried. */
interface Refused {
  text: string;
  jobId: number | null;
  reason: string;
  tries: number;
}

const TRIES = 3;
const UNIQUE_VIOLATION = "23505";
/** Characters of a text that is set aside, at most. */
const LONGEST = 1_000_000;

/** Write lines; what throws is about the database, and they may all be written again. */
export async function writeLines(texts: readonly string[], run: Run): Promise<Written> {
  const { events, ends, stats, refused } = sorted(texts.map(readLine));
  const { saved, failed } = await writeEvents(events, run);
  refused.push(...failed, ...await writeEnds(ends, run));
  const setAside = refused.length > 0 ? await putAside(refused, run) : 0;
  if (stats.length > 0) await writeStats(stats, run);
  const known = events.length - failed.length - saved;
  return { saved, known, setAside, ended: ends.length > 0, times: events.map(({ at }) => at) };
}

function sorted(lines: Line[]) {
  const events: JobEvent[] = [];
  const ends: StreamEnd[] = [];
  const stats: JobEvent[] = [];
  const refused: Refused[] = [];
  for (const line of lines) {
    if (line.kind === "event") {
      events.push(line.event);
      if (line.event.hostStatus !== undefined) stats.push(line.event);
    } else if (line.kind === "eof") ends.push(line.end);
    else if (line.kind === "poison") refused.push({ ...line.poison, tries: 1 });
  }
  return { events, ends, stats, refused };
}

interface Put {
  saved: number;
  failed: Refused[];
}

async function writeEvents(events: JobEvent[], run: Run): Promise<Put> {
  const done: Put = { saved: 0, failed: [] };
  let left = events;
  for (let tries = 1; left.length > 0; tries++) {
    const orphans: JobEvent[] = [];
    await writeHalves(left, run, done, orphans);
    if (tries === TRIES) done.failed.push(...orphans.map((event) => gone(event, tries)));
    left = tries === TRIES ? [] : orphans;
  }
  return done;
}

/** Write all, or each half by itself; what has no job goes to `orphans`. */
async function writeHalves(events: JobEvent[], run: Run, done: Put, orphans: JobEvent[]): Promise<void> {
  try {
    const jobs = [...new Set(events.map(({ jobId }) => jobId))];
    const [row] = await write(eventParams(events, jobs), run);
    done.saved += row.written;
    const known = idsOf(row.jobs);
    if (known.size < jobs.length) orphans.push(...events.filter(({ jobId }) => !known.has(jobId)));
  } catch (error) {
    if (!isForContent(error)) throw error;
    if (events.length === 1) return await tryAgain(events[0], run, done, orphans, error as Error);
    const middle = events.length >> 1;
    await writeHalves(events.slice(0, middle), run, done, orphans);
    await writeHalves(events.slice(middle), run, done, orphans);
  }
}

/** As new ones; after a crash some of them may not be. */
async function write(params: (string | number)[], run: Run): ReturnType<Run> {
  try {
    return await run(SQL.WRITE_NEW_EVENTS, params);
  } catch (error) {
    if ((error as { code?: string }).code !== UNIQUE_VIOLATION) throw error;
    return await run(SQL.WRITE_EVENTS, params);
  }
}

/** It was refused once, alone. */
async function tryAgain(
  event: JobEvent,
  run: Run,
  done: Put,
  orphans: JobEvent[],
  refusal: Error,
): Promise<void> {
  let reason = refusal.message;
  for (let tries = 2; tries <= TRIES; tries++) {
    try {
      const [row] = await write(eventParams([event], [event.jobId]), run);
      done.saved += row.written;
      if (row.jobs === "") orphans.push(event);
      return;
    } catch (error) {
      if (!isForContent(error)) throw error;
      reason = (error as Error).message;
    }
  }
  const { text, jobId } = event;
  done.failed.push({ text, jobId, reason: `The database refuses it: ${reason}`, tries: TRIES });
}

function gone({ text, jobId }: JobEvent | StreamEnd, tries: number): Refused {
  return { text, jobId, reason: `Job ${jobId} does not exist`, tries };
}

async function writeEnds(ends: StreamEnd[], run: Run): Promise<Refused[]> {
  let left = ends;
  for (let tries = 1; left.length > 0; tries++) {
    const params = [bareArray(left.map((end) => end.jobId)), bareArray(left.map((end) => end.finalCounter))];
    const [row] = await run(SQL.WRITE_EOF, params);
    const known = idsOf(row.jobs);
    left = left.filter(({ jobId }) => !known.has(jobId));
    if (tries === TRIES) return left.map((end) => gone(end, tries));
  }
  return [];
}

async function writeStats(stats: JobEvent[], run: Run): Promise<void> {
  // Of two for one job the last: a statement takes one of them, and does not say which.
  const last = [...new Map(stats.map((event) => [event.jobId, event])).values()]
    .sort((a, b) => a.jobId - b.jobId);
  const counts = last.map(({ hostStatus }) => hostStatus!);
  const separator = separatorFor([counts]);
  await run(SQL.WRITE_STATS, [separator, bareArray(last.map(({ jobId }) => jobId)), counts.join(separator)]);
}

async function putAside(refused: Refused[], run: Run): Promise<number> {
  const [texts, reasons] = [refused.map(({ text }) => kept(text)), refused.map(({ reason }) => kept(reason))];
  const separator = separatorFor([texts, reasons]);
  const [{ written }] = await run(SQL.SET_ASIDE, [
    separator,
    bareArray(refused.map(({ jobId }) => jobId).map((id) => id ?? "NULL")),
    texts.join(separator),
    reasons.join(separator),
    bareArray(refused.map(({ tries }) => tries)),
  ]);
  return written;
}

/** As a text of the database may hold it. */
function kept(text: string): string {
  const plain = text.replaceAll("\0", "\\u0000").toWellFormed();
  if (plain.length <= LONGEST) return plain;
  return `${plain.slice(0, LONGEST).toWellFormed()}… (${plain.length - LONGEST} more characters)`;
}

function idsOf(list: string): Set<number> {
  return new Set(list === "" ? [] : list.split(",").map(Number));
}

function eventParams(events: JobEvent[], jobs: number[]): (string | number)[] {
  const texts = {
    event: events.map((e) => e.event),
    host: events.map((e) => e.host),
    play: events.map((e) => e.play),
    task: events.map((e) => e.task),
    role: events.map((e) => e.role),
    stdout: events.map((e) => e.stdout),
    data: events.map((e) => e.data),
  };
  const separator = separatorFor(Object.values(texts));
  return [
    bareArray(jobs),
    separator,
    bareArray(events.map((e) => e.jobId)),
    bareArray(events.map((e) => e.uuid)),
    bareArray(events.map((e) => e.counter)),
    texts.event.join(separator),
    // A time that has a blank is quoted.
    bareArray(events.map((e) => `"${e.created}"`)),
    texts.host.join(separator),
    texts.play.join(separator),
    texts.task.join(separator),
    texts.role.join(separator),
    bareArray(events.map((e) => e.failed)),
    bareArray(events.map((e) => e.changed)),
    bareArray(events.map((e) => e.startLine)),
    bareArray(events.map((e) => e.endLine)),
    texts.stdout.join(separator),
    texts.data.join(separator),
    bareArray(events.map((e) => e.whole)),
  ];
}

/** What none of the texts has: a character of control, and where somebody printed that, more of it. */
function separatorFor(columns: string[][]): string {
  let separator = "\x1e";
  while (columns.some((texts) => texts.some((text) => text.includes(separator)))) {
    separator = `\x1e${Math.random().toString(36).slice(2, 10)}\x1f`;
  }
  return separator;
}
