/**
 * The closed set of errors that this package throws on purpose. Each has a `code` for programs and an exit
 * code for the command line; anything else that is thrown is a bug and says so by having neither.
 *
 * @module
 */

/** Exit codes of the command line; the same numbers on every command. */
export const EXIT = {
  ok: 0,
  failed: 1,
  usage: 2,
  notFound: 3,
  refused: 4,
  partial: 5,
  unavailable: 69,
  config: 78,
  forced: 130,
} as const;

const EXIT_OF = {
  invalid_args: EXIT.usage,
  invalid_envelope: EXIT.usage,
  invalid_queue: EXIT.usage,
  invalid_task: EXIT.usage,
  usage: EXIT.usage,
  not_found: EXIT.notFound,
  ambiguous: EXIT.refused,
  refused: EXIT.refused,
  name_taken: EXIT.refused,
  stale: EXIT.refused,
  task_failed: EXIT.failed,
  timeout: EXIT.unavailable,
  unavailable: EXIT.unavailable,
  schema_newer: EXIT.config,
  config: EXIT.config,
} as const;

/** What went wrong, as a word that programs can switch on. */
export type ErrorCode = keyof typeof EXIT_OF;

/**
 * Tell what was attempted, with which value, and why it cannot be done.
 *
 * @example
 * ```ts
 * const error = new DispatcherError("invalid_queue", 'Cannot publish to queue "": the name is blank');
 * error.code; // "invalid_queue"
 * error.exit; // 2
 * ```
 */
export class DispatcherError extends Error {
  readonly code: ErrorCode;

  constructor(code: ErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = "DispatcherError";
    this.code = code;
  }

  /** The exit code a command ends with when this error reaches the top. */
  get exit(): number {
    return EXIT_OF[this.code];
  }
}

/** An error as it travels and is kept: cloned errors lose their class and code, plain data does not. */
export interface ErrorRecord {
  name: string;
  message: string;
  stack?: string;
  code?: string;
  cause?: ErrorRecord;
}

const STACK_LIMIT = 8_000;
const MESSAGE_LIMIT = 10_000;
const CAUSE_DEPTH = 5;

/** Turn whatever was thrown into an {@link ErrorRecord}; never throws itself, whatever the value is. */
export function errorRecord(thrown: unknown, depth = 0): ErrorRecord {
  try {
    if (!(thrown instanceof Error) && !isErrorLike(thrown)) {
      return {
        name: "Error",
        message: clip(`Thrown value is not an Error: ${describe(thrown)}`, MESSAGE_LIMIT),
      };
    }
    const record: ErrorRecord = {
      name: String(thrown.name ?? "Error"),
      message: clip(String(thrown.message ?? ""), MESSAGE_LIMIT),
    };
    if (typeof thrown.stack === "string") record.stack = clip(thrown.stack, STACK_LIMIT);
    const code = (thrown as { code?: unknown }).code;
    if (typeof code === "string" || typeof code === "number") record.code = String(code);
    if (thrown.cause !== undefined && depth < CAUSE_DEPTH) {
      record.cause = errorRecord(thrown.cause, depth + 1);
    }
    return record;
  } catch {
    return { name: "Error", message: "Thrown value cannot be described" };
  }
}

/** One line for a log: `Name: message`. */
export function errorLine(thrown: unknown): string {
  const { name, message } = errorRecord(thrown);
  return name === "Error" || name === "DispatcherError" ? message : `${name}: ${message}`;
}

function isErrorLike(value: unknown): value is Error {
  return typeof value === "object" && value !== null && "message" in value && "name" in value;
}

function clip(text: string, limit: number): string {
  return text.length <= limit ? text : `${text.slice(0, limit)}… (${text.length - limit} more characters)`;
}

function describe(value: unknown): string {
  if (typeof value === "string") return JSON.stringify(value);
  if (typeof value !== "object" || value === null) return String(value);
  return Object.prototype.toString.call(value);
}
