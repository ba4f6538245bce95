/**
 * What may be shown of arguments. Keyword arguments are never shown; of positional ones, what is named like a
 * secret is hidden and what is long is cut.
 *
 * @module
 */

const SECRET = /pass(word|wd|phrase)?|secret|token|api_?key|private_?key|credential|authorization|cookie/i;
const HIDDEN = "[redacted]";
const TEXT_LIMIT = 200;

/** Whether what has this name is hidden. */
export function isSecretName(name: string): boolean {
  return SECRET.test(name);
}

/** Positional arguments as they may be shown. */
export function redact(value: unknown): unknown {
  if (typeof value === "string") return redactText(value);
  if (Array.isArray(value)) return value.map(redact);
  if (typeof value !== "object" || value === null) return value;
  if ("$enc" in value) return "[encrypted]";
  return Object.fromEntries(
    Object.entries(value).map(([key, member]) => [key, SECRET.test(key) ? HIDDEN : redact(member)]),
  );
}

/** `scheme://user:password@host` keeps everything but the password. */
function withoutPasswords(text: string): string {
  return text.replace(/([a-z][a-z0-9+.-]*:\/\/[^\s:/@]*:)\S+@/gi, `$1${HIDDEN}@`);
}

function redactText(text: string): string {
  const hidden = withoutPasswords(text);
  return hidden.length <= TEXT_LIMIT
    ? hidden
    : `${hidden.slice(0, TEXT_LIMIT)}… (${hidden.length} characters)`;
}

/** What follows a name that ends like a secret's: `token=abc`, `"password": "a b"`, `authorization: Bearer abc`. */
const NAMED = new RegExp(
  "([\\w-]*(?:pass(?:word|wd|phrase)|(?<![a-z])pass|secret|token|api_?key|private_?key|credentials?|authorization|" +
    `cookie)["']?\\s*[:=]\\s*)("(?:[^"\\\\]|\\\\.)*"|'[^']*'|(?:bearer |basic )?[^\\s,;&}]+)`,
  "gi",
);

/** A line that a task has printed, as it may be kept and shown: whole, but for what is named like a secret. */
export function redactLine(text: string): string {
  return withoutPasswords(text).replace(NAMED, `$1${HIDDEN}`);
}

const CALL_LIMIT = 300;

/** `task(*[args])` on one line, as `status` and `running` show what runs. */
export function callText(task: string, args: unknown): string {
  const list = JSON.stringify(redact(args)) ?? "[]";
  return `${task}(*${list.length <= CALL_LIMIT ? list : `${list.slice(0, CALL_LIMIT)}…`})`;
}

/** The columns of an envelope that may have something to hide. */
interface Hiding {
  args: unknown;
  kwargs?: unknown;
  options: Readonly<Record<string, unknown>>;
  progress: unknown;
  result: unknown;
}

/** An envelope as it may be shown: without keyword arguments, those of its callbacks too; the rest redacted. */
export function shownRow<T extends Hiding>({ kwargs: _, ...row }: T): Omit<T, "kwargs"> {
  return {
    ...row,
    args: redact(row.args),
    options: Object.fromEntries(
      Object.entries(row.options).map((
        [key, value],
      ) => [key, /^(call|err)backs$/.test(key) ? shownCalls(value) : value]),
    ),
    progress: redact(row.progress),
    result: redact(row.result),
  };
}

function shownCalls(calls: unknown): unknown {
  if (!Array.isArray(calls)) return [];
  return calls.map((call) => ({ task: call?.task ?? null, args: redact(call?.args ?? []) }));
}
