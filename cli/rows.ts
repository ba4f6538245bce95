/**
 * Envelopes as they may be shown: without keyword arguments; arguments, progress and result redacted. The command
 * `result` prints the result as it is.
 *
 * @module
 */
export { shownRow } from "../runtime/redact.ts";
