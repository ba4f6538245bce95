/**
 * What commands of an extension are made of; `edge-dispatcher/command`.
 *
 * @module
 */
export { type Flag, type Flags, parseJson, secondsOf, usage } from "./args.ts";
export { type Command, type Context, DATABASE_FLAGS, JSON_FLAG } from "./command.ts";
export { confirm, YES_FLAG } from "./confirm.ts";
export { untilInterrupted } from "./interrupt.ts";
export type { IO } from "./io.ts";
export { readLines } from "./lines.ts";
export { ago, type Column, megabytes, oneLine, writeTable } from "./table.ts";
export { EXIT } from "../runtime/errors.ts";
export { redact } from "../runtime/redact.ts";
