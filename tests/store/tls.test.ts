import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { connect, type Sql } from "../../runtime/store/connection.ts";
import { database, eventually, test } from "../harness.ts";

/** Let a server speak TLS with a certificate that nobody has signed; it goes on to speak plainly to those who ask so. */
async function speakTls(sql: Sql): Promise<void> {
  for (const name of ["server.crt", "server.key"]) {
    const lines = readFileSync(new URL(`../fixtures/tls/${name}`, import.meta.url), "utf8").trim().split(
      "\n",
    );
    const rows = lines.map((line, n) => `(${n}, '${line}')`).join(", ");
    // The server writes it, into its own directory: nobody else may own its key.
    const write = `cat > ${name} && chmod 600 ${name}`;
    await sql.unsafe(`copy (select l from (values ${rows}) v (n, l) order by n) to program '${write}'`);
    await sql.unsafe(`alter system set ssl_${name.endsWith("key") ? "key" : "cert"}_file = '${name}'`);
  }
  await sql.unsafe("alter system set ssl = on");
  await sql.unsafe("select pg_reload_conf()");
}

test("connect() speaks TLS where the address asks for it, and cuts what does not answer there too", async (t) => {
  const db = await database();
  t.after(() => db.drop());
  const plain = connect(db.url, { max: 1 });
  t.after(() => plain.end({ timeout: 1 }));
  await speakTls(plain);
  for (const mode of ["require", "prefer"]) {
    const url = new URL(db.url);
    url.searchParams.set("sslmode", mode);
    const sql = connect(url.href, { max: 2, answerSeconds: 1, ours: true });
    t.after(() => sql.end({ timeout: 0 }));
    await eventually(async () => {
      const [{ ssl }] = await sql.unsafe("select ssl from pg_stat_ssl where pid = pg_backend_pid()");
      assert.equal(ssl, true);
    });
    await assert.rejects(sql.unsafe("select pg_sleep(30)"), { code: "ETIMEDOUT" });
    assert.equal((await sql.unsafe("select 1 n"))[0].n, 1);
  }
});

test("connect() refuses a certificate that nobody has signed where it must be verified", async (t) => {
  const db = await database();
  t.after(() => db.drop());
  const plain = connect(db.url, { max: 1 });
  t.after(() => plain.end({ timeout: 1 }));
  await speakTls(plain);
  const url = new URL(db.url);
  url.hostname = "localhost";
  url.searchParams.set("sslmode", "verify-full");
  const sql = connect(url.href, { max: 1 });
  t.after(() => sql.end({ timeout: 0 }));
  await eventually(() => assert.rejects(sql.unsafe("select 1"), /self.signed certificate/));
});
