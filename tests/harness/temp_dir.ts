import { chmodSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { onProcessEnd } from "./process_end.ts";

/**
 * Make a fresh directory and give its path; it is removed at the end of the process, or else by tests/run.ts,
 * which sets TMPDIR. Mode 0755, not mkdtemp's 0700: a PostgreSQL started by root runs as another user.
 */
export function tempDir(): string {
  const dir = mkdtempSync(join(tmpdir(), "edge-test-"));
  chmodSync(dir, 0o755);
  onProcessEnd(() => rmSync(dir, { recursive: true, force: true, maxRetries: 2 }));
  return dir;
}
