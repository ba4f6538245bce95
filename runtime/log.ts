/**
 * The log: events as lines on stderr, as text or as JSON.
 *
 * @module
 */
import { type DispatcherEvent, type Level, LEVELS } from "./events.ts";

/** How events are written. `level` may be changed while it runs. */
export interface LogSettings {
  level: Level;
  format: "text" | "json";
  /** Stands in every line of JSON; written by the node when it knows its name. */
  node?: string;
}

/** Make a subscriber that writes what is severe enough. */
export function logWriter(
  settings: LogSettings,
  write: (line: string) => void = (line) => console.error(line),
): (event: DispatcherEvent) => void {
  return (event) => {
    if (LEVELS.indexOf(event.level) < LEVELS.indexOf(settings.level)) return;
    write(settings.format === "json" ? jsonLine(event, settings.node) : textLine(event));
  };
}

function jsonLine({ level, name, text, fields }: DispatcherEvent, node?: string): string {
  return JSON.stringify({
    time: new Date().toISOString(),
    level,
    event: name,
    message: text,
    node,
    ...fields,
  });
}

function textLine({ level, text, fields }: DispatcherEvent): string {
  const extra = Object.entries(fields ?? {}).map(([key, value]) => ` ${key}=${plain(value)}`).join("");
  return `${new Date().toISOString()} ${level.toUpperCase().padEnd(7)} ${text}${extra}`;
}

function plain(value: unknown): string {
  if (typeof value === "string") return /[\s"=]/.test(value) ? JSON.stringify(value) : value;
  return JSON.stringify(value) ?? String(value);
}
