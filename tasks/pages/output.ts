/**
 * The output of a job as lines: numbered, in the colours of what printed them, and never more than a page of them.
 *
 * @module
 */
import type { EventText } from "./queries/events.ts";

/** Lines of one page. */
export const LINES = 1_000;

/** Some text in one look; no class is the page's own. */
export interface Span {
  text: string;
  look: string;
}

/** A line of the output. */
export interface Line {
  key: string;
  /** From 1; null where the event does not say. */
  number: number | null;
  spans: Span[];
  /** What ansible's own words make of the whole line. */
  look: string;
}

/** A page of output. */
export interface Output {
  lines: Line[];
  /** Before this event there may be more. */
  older: number | null;
  /** A text was too long to be shown whole. */
  cut: boolean;
}

/** The last lines of what events printed. They come in the order in which they were printed. */
export function outputOf(events: readonly EventText[]): Output {
  const texts = joined(events);
  const kept: Line[][] = [];
  let room = LINES;
  let cut = false;
  let at = texts.length - 1;
  for (; at >= 0 && room > 0; at--) {
    const all = linesOf(texts[at]);
    // Events are not split over pages, but for one that fills more than a page.
    if (all.length > room && kept.length > 0) break;
    kept.push(all.slice(-room));
    cut ||= all.length > room || texts[at].cut;
    room -= all.length;
  }
  const first = texts[at + 1]?.counter ?? null;
  return { lines: kept.reverse().flat(), older: first !== null && first > 1 ? first : null, cut };
}

/**
 * A text that stops within a line goes on in the next event: its lines are counted by their ends. Of a text whose lines
 * are counted otherwise (as ansible-runner does, without the last end) each event is lines of its own.
 */
function joined(events: readonly EventText[]): EventText[] {
  const texts: EventText[] = [];
  let isOpen = false;
  for (const event of events) {
    const { stdout, start_line, end_line } = event;
    const before = texts.at(-1);
    if (isOpen && before) {
      texts[texts.length - 1] = {
        ...before,
        stdout: before.stdout + stdout,
        end_line,
        cut: before.cut || event.cut,
      };
    } else texts.push(event);
    const ends = stdout.split("\n").length - 1;
    isOpen = end_line > 0 && !event.cut && !stdout.endsWith("\n") && end_line - start_line === ends;
  }
  return texts;
}

function linesOf({ counter, stdout, start_line, end_line, cut }: EventText): Line[] {
  const lines = stdout.replace(/\r?\n$/, "").split(/\r?\n/);
  const isNumbered = !cut && end_line > start_line;
  return lines.map((text, i) => {
    const spans = spansOf(text);
    const look = spans.every((span) => span.look === "") ? lineLook(text) : "";
    return { key: `${counter}.${i}`, number: isNumbered ? start_line + i + 1 : null, spans, look };
  });
}

const WORDS: readonly [pattern: RegExp, look: string][] = [
  [/^(PLAY|TASK|HANDLER|RUNNING HANDLER|PLAY RECAP)\b.*\*{3,}$/, "strong"],
  [/^(ok|included): \[?/, "ok"],
  [/^changed: \[/, "changed"],
  [/^(skipping|rescued): \[?/, "dim"],
  [/^(fatal|failed|unreachable): \[|^\[?ERROR\]?[: ]/i, "bad"],
  [/^\[?(DEPRECATION )?WARNING\]?[: ]/, "changed"],
];

function lineLook(text: string): string {
  return WORDS.find(([pattern]) => pattern.test(text))?.[1] ?? "";
}

/** Terminal colours of the palette's eight, by number. */
const COLOURS = ["dim", "bad", "ok", "changed", "blue", "violet", "cyan", ""];
/** Colours, what else a terminal is told by escape sequences, and other control characters. */
// deno-lint-ignore no-control-regex
const ESCAPE = new RegExp(
  "\\x1b\\[([\\d;?]*)([A-Za-z])|\\x1b\\][^\\x07\\x1b]*(?:\\x07|\\x1b\\\\)|[\\x00-\\x08\\x0b\\x0c\\x0e-\\x1f\\x7f]",
  "g",
);

/** A line with the colours of a terminal as looks; what else moves a cursor is left out. */
export function spansOf(line: string): Span[] {
  // A progress bar: only what was printed last over the same line.
  const text = line.replace(/\r+$/, "").split("\r").at(-1)!;
  const spans: Span[] = [];
  let [colour, strong, from] = ["", false, 0];
  const push = (to: number) => {
    const look = strong ? `${colour} strong`.trim() : colour;
    if (to > from) spans.push({ text: text.slice(from, to), look });
  };
  for (const found of text.matchAll(ESCAPE)) {
    push(found.index);
    from = found.index + found[0].length;
    if (found[2] === "m") [colour, strong] = painted(found[1], colour, strong);
  }
  push(text.length);
  return spans;
}

function painted(codes: string, colour: string, strong: boolean): [string, boolean] {
  for (const code of codes.split(";").map(Number)) {
    if (code === 0) [colour, strong] = ["", false];
    else if (code === 1) strong = true;
    else if (code === 22) strong = false;
    else if (code === 39) colour = "";
    else if (code >= 30 && code <= 37) colour = COLOURS[code - 30];
    else if (code >= 90 && code <= 97) colour = COLOURS[code - 90];
  }
  return [colour, strong];
}
