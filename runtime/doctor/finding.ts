/**
 * What a check has found.
 *
 * @module
 */

/** One finding: what was looked at, how it is, and what would repair it. */
export interface Finding {
  /** Such as `schema` or `listen`. */
  check: string;
  status: "ok" | "warning" | "failed";
  text: string;
  /** SQL, or a command that begins with `cli`. */
  repair?: string;
}

export const ok = (check: string, text: string): Finding => ({ check, status: "ok", text });
export const warning = (check: string, text: string, repair?: string): Finding =>
  found(check, "warning", text, repair);
export const failed = (check: string, text: string, repair?: string): Finding =>
  found(check, "failed", text, repair);

function found(check: string, status: Finding["status"], text: string, repair?: string): Finding {
  return { check, status, text, ...(repair === undefined ? {} : { repair }) };
}
