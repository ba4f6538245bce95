/**
 * A PgBouncer in transaction mode before the server of this test run: two of its sessions share few of the server's,
 * and none keeps one for longer than a transaction.
 *
 * @module
 */
import { spawn } from "node:child_process";
import { existsSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { guardChild } from "../harness/child_guard.ts";
import { eventually, needs, tempDir, type TestContext } from "../harness.ts";

// Debian's stands where ordinary users have no PATH to.
const DEBIAN = "/usr/sbin/pgbouncer";

/** The reason to skip, or false; always false in CI, where missing means failure. */
export function needsPgbouncer(): string | false {
  return existsSync(DEBIAN) ? false : needs("pgbouncer");
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as { port: number };
  await new Promise((resolve) => server.close(resolve));
  return port;
}

/** Start one for a database; the address through it. It ends with the test. */
export async function pgbouncer(t: TestContext, url: string): Promise<string> {
  const [to, port, file] = [new URL(url), await freePort(), join(tempDir(), "pgbouncer.ini")];
  const quoted = (text: string) => `'${decodeURIComponent(text).replaceAll("'", "''")}'`;
  const password = to.password ? ` password=${quoted(to.password)}` : "";
  writeFileSync(
    file,
    `[databases]
* = host=${to.hostname} port=${to.port || 5432} user=${quoted(to.username)}${password}
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = ${port}
unix_socket_dir =
auth_type = any
pool_mode = transaction
default_pool_size = 3
max_client_conn = 200
`,
    { mode: 0o644 },
  );
  // It refuses to run as root.
  const as = process.getuid?.() === 0 ? ["-u", "nobody"] : [];
  const proc = spawn(existsSync(DEBIAN) ? DEBIAN : "pgbouncer", [...as, file], { stdio: "pipe" });
  guardChild(proc);
  let said = "";
  let ended = false;
  proc.stderr.on("data", (chunk) => said += chunk);
  proc.stdout.on("data", (chunk) => said += chunk);
  const exited = new Promise<void>((resolve) => proc.once("exit", () => (ended = true, resolve())));
  t.after(() => {
    proc.kill("SIGINT");
    setTimeout(() => proc.kill("SIGKILL"), 3_000).unref();
    return exited;
  });
  await eventually(() => {
    if (ended) throw new Error(`pgbouncer has ended: ${said}`);
    return said.includes("process up");
  });
  to.host = `127.0.0.1:${port}`;
  return to.href;
}
