import { chmodSync, mkdirSync, mkdtempSync } from "node:fs";
import { rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** The directory of one test run. */
export interface Workspace {
  dir: string;
  /** TMPDIR of the tests, for anybody: servers that they start as root run as another user. */
  tmp: string;
  /** Where the reports of the files go. */
  reports: string;
  remove(): Promise<void>;
}

/** Make a fresh workspace in the system's directory for temporary files. */
export function makeWorkspace(): Workspace {
  const dir = mkdtempSync(join(tmpdir(), "edge-tests-"));
  chmodSync(dir, 0o755);
  const [tmp, reports] = [join(dir, "tmp"), join(dir, "reports")];
  mkdirSync(tmp);
  chmodSync(tmp, 0o1777);
  mkdirSync(reports);
  return { dir, tmp, reports, remove: () => rm(dir, { recursive: true, force: true, maxRetries: 3 }) };
}
