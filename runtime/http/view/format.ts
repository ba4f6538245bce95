/**
 * Numbers, times and sizes as people read them. Pure: whoever wants a relative time says what time it is.
 *
 * @module
 */
import { COUNT_CAP } from "../../count_cap.ts";

const whole = new Intl.NumberFormat("en");

/** A count that stops at the cap: `10,000+`. */
export function count(n: number): string {
  return n > COUNT_CAP ? `${whole.format(COUNT_CAP)}+` : whole.format(n);
}

/** Any whole number. */
export function number(n: number): string {
  return whole.format(Math.round(n));
}

/** So many a second. */
export function rate(n: number): string {
  if (n === 0) return "0/s";
  return n < 10 ? `${n.toFixed(1)}/s` : `${whole.format(Math.round(n))}/s`;
}

const STEPS: [seconds: number, unit: string, smaller: number, smallUnit: string][] = [
  [86_400, "d", 3_600, "h"],
  [3_600, "h", 60, "min"],
  [60, "min", 1, "s"],
];

/** A length of time, in two units at most. */
export function duration(seconds: number): string {
  const s = Math.max(0, seconds);
  if (s < 0.0005) return "0 ms";
  if (s < 0.9995) return `${Number((s * 1000).toFixed(s < 0.01 ? 1 : 0))} ms`;
  if (s < 9.95) return `${Number(s.toFixed(1))} s`;
  if (s < 59.5) return `${Math.round(s)} s`;
  for (const [size, unit, smaller, smallUnit] of STEPS) {
    if (s < size) continue;
    const parts = [Math.floor(s / size), Math.floor((s % size) / smaller)];
    return parts[1] === 0 ? `${parts[0]} ${unit}` : `${parts[0]} ${unit} ${parts[1]} ${smallUnit}`;
  }
  return "1 min";
}

/** The same without fractions, for what grows each second. */
export function age(seconds: number): string {
  return seconds < 1 ? "0 s" : seconds < 60 ? `${Math.floor(seconds)} s` : duration(seconds);
}

/** Seconds between two ISO times. */
export function secondsBetween(from: string, to: string): number {
  return (Date.parse(to) - Date.parse(from)) / 1000;
}

const UNITS = ["B", "kB", "MB", "GB", "TB"];

/** Bytes. */
export function bytes(n: number): string {
  let value = n;
  let unit = 0;
  while (value >= 999.5 && unit < UNITS.length - 1) {
    value /= 1024;
    unit++;
  }
  return `${unit === 0 || value >= 99.5 ? Math.round(value) : value.toFixed(1)} ${UNITS[unit]}`;
}

/** A time of day, or with its date where that is another day; UTC, as all times of the dispatcher. */
export function clockTime(iso: string, now: string): string {
  const [day, time] = new Date(iso).toISOString().split("T");
  const short = time.slice(0, 8);
  return day === new Date(now).toISOString().slice(0, 10) ? short : `${day} ${short}`;
}

/** With milliseconds. */
export function exactTime(iso: string): string {
  return new Date(iso).toISOString().replace("T", " ").replace("Z", " UTC");
}

/** `1 node`, `2 nodes`. */
export function plural(n: number, one: string, many: string = `${one}s`): string {
  return `${count(n)} ${n === 1 ? one : many}`;
}

/** JSON on one line, cut. */
export function short(value: unknown, most: number): string {
  const text = JSON.stringify(value) ?? "";
  return text.length <= most ? text : `${text.slice(0, most)}…`;
}

/** JSON over several lines. */
export function pretty(value: unknown): string {
  return JSON.stringify(value, null, 2) ?? "";
}
