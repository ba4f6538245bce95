/**
 * Takes secrets out of what a job prints and of what its events say, before anything of it is stored.
 *
 * @module
 */

export const HIDDEN = "$encrypted$";
/** Shorter ones stand in other words by chance; hiding them would spoil the text and tell them. */
const SHORTEST = 4;

/** Hides the secrets of one job. */
export class Redactor {
  // The longest first, so that of two that begin alike none is hidden by half.
  #secrets: string[] = [];

  /** How many characters at the end of a text may be the beginning of a secret. */
  begun(text: string): number {
    return Math.max(0, ...this.#secrets.map((secret) => begun(text, secret)));
  }

  /** Hide these from now on. Of a text of several lines, such as a key, each line is a secret. */
  add(...secrets: readonly string[]): void {
    const parts = secrets.flatMap((
      secret,
    ) => [secret.trim(), ...secret.split("\n").map((line) => line.trim())]);
    const known = new Set([...this.#secrets, ...parts.filter((part) => part.length >= SHORTEST)]);
    this.#secrets = [...known].filter((secret) => !/^-----[A-Z ]+-----$/.test(secret))
      .sort((a, b) => b.length - a.length);
  }

  /** A text without them, and without what PostgreSQL does not store in a text. */
  text(text: string): string {
    let clean = text.includes("\0") ? text.replaceAll("\0", "\uFFFD") : text;
    for (const secret of this.#secrets) if (clean.includes(secret)) clean = clean.replaceAll(secret, HIDDEN);
    return HALVES.test(clean) ? clean.replace(HALVES_ALL, "\uFFFD") : clean;
  }

  /** JSON data without them, in keys and values. */
  data(value: unknown): unknown {
    if (typeof value === "string") return this.text(value);
    if (Array.isArray(value)) return value.map((inner) => this.data(inner));
    if (typeof value !== "object" || value === null) return value;
    return Object.fromEntries(
      Object.entries(value).map(([key, inner]) => [this.text(key), this.data(inner)]),
    );
  }
}

/** How many characters at the end of a text are the beginning of another, but not all of it. */
export function begun(text: string, other: string): number {
  for (let length = Math.min(text.length, other.length - 1); length > 0; length--) {
    if (text.endsWith(other.slice(0, length))) return length;
  }
  return 0;
}

/** Halves of characters. */
const HALVES = /[\uD800-\uDBFF](?![\uDC00-\uDFFF])|(?<![\uD800-\uDBFF])[\uDC00-\uDFFF]/;
const HALVES_ALL = new RegExp(HALVES.source, "g");
