/** Who may connect to the embedded server: only who has its password, and only on this machine. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { statSync } from "node:fs";
import { connect } from "node:net";
import { networkInterfaces } from "node:os";
import { join } from "node:path";
import postgres from "postgres";
import { startEmbedded, stopEmbedded } from "../../runtime/store/embedded.ts";
import { tempDir, test } from "../harness.ts";

test("the embedded server asks for its password and listens on the loopback only", async (t) => {
  const dir = join(tempDir(), "pg");
  t.after(() => stopEmbedded({ dir }));
  const { url, port } = await startEmbedded({ dir });
  const query = async (change: (url: URL) => unknown) => {
    const changed = new URL(url);
    change(changed);
    // An empty password is one, too; the client would take another from PGPASSWORD.
    const sql = postgres(changed.href, {
      max: 1,
      password: decodeURIComponent(changed.password),
      onnotice: () => {},
    });
    try {
      return await sql`select current_setting('listen_addresses') addresses,
        current_setting('unix_socket_directories') sockets, current_setting('password_encryption') method`;
    } finally {
      await sql.end({ timeout: 1 });
    }
  };
  const [{ addresses, sockets, method }] = await query(() => {});
  assert.deepEqual([addresses, sockets, method], ["127.0.0.1", "", "scram-sha-256"]);
  await assert.rejects(query((url) => url.password = ""), { code: /^(28P01|28000|SASL_.*)$/ });
  await assert.rejects(query((url) => url.password = "wrong"), { code: "28P01" });
  assert.ok(new URL(url).password.length >= 32);
  assert.equal(statSync(join(dir, "password")).mode & 0o077, 0);
  for (
    const { address, family, internal } of Object.values(networkInterfaces()).flatMap((all) => all ?? [])
  ) {
    if (internal || family !== "IPv4") continue;
    const socket = connect(port, address);
    const [error] = await Promise.race([
      once(socket, "error"),
      once(socket, "connect").then(() => [undefined]),
    ]);
    socket.destroy();
    assert.ok(error, `it listens on ${address}`);
  }
});
