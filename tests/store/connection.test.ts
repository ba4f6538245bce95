import assert from "node:assert/strict";
import { createServer, type Socket } from "node:net";
import fc from "fast-check";
import { type DispatcherError, errorRecord } from "../../runtime/errors.ts";
import {
  addressOf,
  arrayLiteral,
  connect,
  connectionError,
  isForContent,
  isoTime,
  isTransient,
  type Sql,
} from "../../runtime/store/connection.ts";
import { database, eventually, test, type TestContext } from "../harness.ts";

const SECRET = "hunter2";

/** A connection to an empty database of its own. */
async function open(t: TestContext) {
  const db = await database();
  t.after(() => db.drop());
  const sql = connect(db.url, { max: 1 });
  t.after(() => sql.end({ timeout: 1 }));
  return { sql, url: db.url };
}

/** What connecting to an address fails with, as ours. */
async function failure(url: string): Promise<DispatcherError> {
  const sql = connect(url, { max: 1 });
  try {
    await sql`select 1`;
  } catch (error) {
    return connectionError(error, url);
  } finally {
    await sql.end({ timeout: 1 });
  }
  throw new Error(`Connected to ${url}`);
}

/** A server on a port of its own that does this with each connection. */
async function listen(t: TestContext, serve: (socket: Socket) => void): Promise<number> {
  const server = createServer((socket) => serve(socket.on("error", () => {})));
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  t.after(() => new Promise((resolve) => server.close(resolve)));
  return (server.address() as { port: number }).port;
}

const HOSTILE = [
  "",
  " ",
  "plain",
  "NULL",
  "null",
  '"',
  '""',
  "\\",
  '\\"',
  "\\\\",
  ",",
  "{",
  "}",
  "{}",
  "{a,b}",
  "'",
  "''; drop table x; --",
  "a\nb\tc\r",
  " leading and trailing ",
  "é€😀",
  "\u2028",
  "\u007f\u0001",
  "$1",
  "x".repeat(100_000),
];

test("arrayLiteral() brings every text to the server as it is", async (t) => {
  const { sql } = await open(t);
  const roundTrip = async (values: (string | null)[]) =>
    (await sql.unsafe("select to_json($1::text[]) a", [arrayLiteral(values)]))[0].a;
  assert.deepEqual(await roundTrip([]), []);
  assert.deepEqual(await roundTrip(HOSTILE), HOSTILE);
  assert.deepEqual(await roundTrip([null, "NULL", null]), [null, "NULL", null]);
  const text = fc.string({ unit: "grapheme", maxLength: 30 }).filter((value) => !value.includes("\0"));
  await fc.assert(
    fc.asyncProperty(fc.array(fc.option(text), { maxLength: 20 }), async (values) => {
      assert.deepEqual(await roundTrip(values), values);
    }),
    { numRuns: 50 },
  );
});

test("arrayLiteral() brings JSON texts to the server byte for byte, NUL and unpaired surrogates too", async (t) => {
  const { sql } = await open(t);
  const texts = [...HOSTILE, "\u0000", "\ud800", "a\udfffb"].map((text) =>
    JSON.stringify({ text, list: [text] })
  );
  const rows = await sql.unsafe("select to_json(array(select x::text from unnest($1::json[]) x)) a", [
    arrayLiteral(texts),
  ]);
  assert.deepEqual(rows[0].a, texts);
});

test("arrayLiteral() brings numbers and booleans", async (t) => {
  const { sql } = await open(t);
  const numbers = [0, -1, 1.5, 1e21, 1e-7, 2147483647, null];
  const [row] = await sql.unsafe("select to_json($1::float8[]) n, to_json($2::boolean[]) b", [
    arrayLiteral(numbers),
    arrayLiteral([true, false, null]),
  ]);
  assert.deepEqual(row.n, numbers);
  assert.deepEqual(row.b, [true, false, null]);
});

test("arrayLiteral() lets the server refuse a NUL in a text, and changes none", async (t) => {
  const { sql } = await open(t);
  await assert.rejects(async () => await sql.unsafe("select $1::text[]", [arrayLiteral(["a\0b"])]), {
    code: "22021",
  });
});

test("isoTime() reads what PostgreSQL writes", () => {
  const cases: [string, string][] = [
    ["2026-11-24 05:55:35.123456+00", "2026-11-24T05:55:35.123Z"],
    ["2026-11-24 05:55:35.1+00", "2026-11-24T05:55:35.100Z"],
    ["2026-11-24 05:55:35+00", "2026-11-24T05:55:35.000Z"],
    ["2026-11-24 05:55:35-08", "2026-11-24T13:55:35.000Z"],
    ["2026-11-24 05:55:35.5+05:30", "2026-11-24T00:25:35.500Z"],
    ["2026-11-24 05:55:35", "2026-11-24T05:55:35.000Z"],
    ["infinity", "infinity"],
    ["-infinity", "-infinity"],
    ["0044-03-15 12:00:00+00 BC", "0044-03-15 12:00:00+00 BC"],
    ["12026-11-24 05:55:35+00", "12026-11-24 05:55:35+00"],
  ];
  for (const [text, expected] of cases) assert.equal(isoTime(text), expected);
});

test("connect() gives times as ISO strings, whatever the time zone of the session", async (t) => {
  const { sql } = await open(t);
  for (const zone of ["UTC", "America/St_Johns", "Asia/Kathmandu", "Pacific/Chatham"]) {
    await sql.unsafe(`set timezone = '${zone}'`);
    const [row] =
      await sql`select '2026-11-24T05:55:35.123456Z'::timestamptz at, 'infinity'::timestamptz never`;
    assert.deepEqual({ ...row }, { at: "2026-11-24T05:55:35.123Z", never: "infinity" }, zone);
  }
});

test("connect() names the application and opens no more connections than it may", async (t) => {
  const { sql: admin, url } = await open(t);
  const sql = connect(url, { max: 3, application: "a test" });
  t.after(() => sql.end({ timeout: 1 }));
  await Promise.all(Array.from({ length: 12 }, () => sql`select 1`));
  const rows = await admin`select from pg_stat_activity where application_name = 'a test'`;
  assert.equal(rows.length, 3);
});

test("connect() closes connections that nobody uses, when told so", async (t) => {
  const { sql: admin, url } = await open(t);
  const sql = connect(url, { max: 1, idleSeconds: 0.05, application: "idle" });
  t.after(() => sql.end({ timeout: 1 }));
  await sql`select 1`;
  await eventually(async () =>
    assert.equal((await admin`select from pg_stat_activity where application_name = 'idle'`).length, 0)
  );
  assert.equal((await sql`select 2 as two`)[0].two, 2, "and opens one again");
});

test("isTransient() is true of what passes by itself", () => {
  const passing = ["08006", "08001", "53300", "57P01", "57P03", "40001", "40P01", "55P03", "57014", "25006"];
  const network = [
    "ECONNREFUSED",
    "ECONNRESET",
    "ENOTFOUND",
    "CONNECT_TIMEOUT",
    "CONNECTION_CLOSED",
    "CONNECTION_ENDED",
  ];
  for (const code of [...passing, ...network]) assert.equal(isTransient({ code }), true, code);
  for (const code of ["28P01", "3D000", "42P01", "42601", "22P02", "23505", "", undefined]) {
    assert.equal(isTransient({ code }), false, String(code));
  }
  for (const other of [null, undefined, "ECONNREFUSED", new Error("x")]) {
    assert.equal(isTransient(other), false);
  }
});

test("isForContent() is true of what the values are to blame for, and of nothing else", () => {
  for (const code of ["22P05", "22021", "23502", "54000", "XX000", "ERR_STRING_TOO_LONG"]) {
    assert.equal(isForContent({ code }), true, code);
  }
  for (const code of ["42501", "42P01", "53100", "40P01", "57P01", "CONNECTION_CLOSED", "EPIPE"]) {
    assert.equal(isForContent({ code }), false, code);
  }
  assert.equal(isForContent(new RangeError("Invalid string length")), true);
});

test("isTransient() is true of a connection that the server ended, and another is opened", async (t) => {
  const { sql: admin, url } = await open(t);
  const sql = connect(url, { max: 1 });
  t.after(() => sql.end({ timeout: 1 }));
  const [{ pid }] = await sql`select pg_backend_pid() pid`;
  const ended = assert.rejects(sql`select pg_sleep(60)`.execute(), (error) => isTransient(error));
  await eventually(async () =>
    assert.equal(
      (await admin`select from pg_stat_activity where pid = ${pid} and query like '%pg_sleep%'`).length,
      1,
    )
  );
  await admin`select pg_terminate_backend(${pid})`;
  await ended;
  // The first one after it may be told of the same loss.
  await eventually(async () => assert.equal((await sql`select 1 as one`)[0].one, 1));
});

test("isTransient() is false of a statement that is wrong", async (t) => {
  const { sql } = await open(t);
  await assert.rejects(async () => await sql.unsafe("select frobnicate()"), (error) => !isTransient(error));
});

test("connectionError() is unavailable where nobody listens", async () => {
  const gone = createServer();
  await new Promise<void>((resolve) => gone.listen(0, "127.0.0.1", resolve));
  const { port } = gone.address() as { port: number };
  await new Promise((resolve) => gone.close(resolve));
  const error = await failure(`postgres://u:${SECRET}@127.0.0.1:${port}/db`);
  assert.deepEqual([error.code, error.exit], ["unavailable", 69]);
  assert.ok(
    error.message.startsWith(`Cannot connect to PostgreSQL at 127.0.0.1:${port}/db as u: `),
    error.message,
  );
  assert.ok(isTransient(error.cause), "so that it is tried again");
  assert.ok(!JSON.stringify(errorRecord(error)).includes(SECRET));
});

/** An ErrorResponse of the protocol. */
function refusal(code: string, message: string): Buffer {
  const fields = Buffer.from(`SFATAL\0VFATAL\0C${code}\0M${message}\0\0`);
  const head = Buffer.alloc(5);
  head.write("E");
  head.writeInt32BE(fields.length + 4, 1);
  return Buffer.concat([head, fields]);
}

test("connectionError() is of the configuration when the password is wrong, and does not show it", async (t) => {
  // A server of our own: one that trusts its neighbours takes any password.
  const port = await listen(t, (socket) => {
    socket.once("data", () => {
      socket.write(Buffer.from([0x52, 0, 0, 0, 8, 0, 0, 0, 3]));
      socket.once("data", () => socket.end(refusal("28P01", 'password authentication failed for user "u"')));
    });
  });
  const error = await failure(`postgres://u:${SECRET}@127.0.0.1:${port}/db`);
  assert.deepEqual([error.code, error.exit], ["config", 78]);
  assert.equal(
    error.message,
    `Cannot connect to PostgreSQL at 127.0.0.1:${port}/db as u: password authentication failed for user "u"`,
  );
  assert.ok(!JSON.stringify(errorRecord(error)).includes(SECRET));
});

test("connectionError() is of the configuration when there is no such database or role", async (t) => {
  const { url } = await open(t);
  const database = new URL(url);
  database.pathname = "/no_such_database";
  const missing = await failure(database.href);
  assert.equal(missing.code, "config");
  assert.match(missing.message, /no_such_database.*does not exist/);
  const role = new URL(url);
  role.username = "no_such_role";
  role.password = SECRET;
  const unknown = await failure(role.href);
  assert.equal(unknown.code, "config");
  assert.match(unknown.message, / as no_such_role: /);
  assert.ok(!unknown.message.includes(SECRET));
});

test("addressOf() shows where an address leads, never the password", () => {
  const cases: [string, string][] = [
    ["postgres://u:hunter2@h:5433/db", "h:5433/db as u"],
    ["postgres://h/db", "h:5432/db"],
    ["postgres://u%40x:p@h/db?sslmode=require", "h:5432/db as u@x"],
    ["postgres://u:p@[::1]:5432/db", "[::1]:5432/db as u"],
    ["postgres:///db", "localhost:5432/db"],
    ["not an address hunter2", "the given address"],
    ["", "the given address"],
  ];
  for (const [url, expected] of cases) assert.equal(addressOf(url), expected);
});

test("connect() gives what is ours whole, in answers of all sizes, and others what they keep", async (t) => {
  const db = await database();
  t.after(() => db.drop());
  const own = connect(db.url, { max: 1, ours: true });
  t.after(() => own.end({ timeout: 1 }));
  for (const size of [1, 300, 70_000, 3_000_000, 20]) {
    const rows = await own.unsafe(
      "select i, repeat(chr(97 + i % 26), $1::int) text from generate_series(1, 9) i",
      [size],
    );
    assert.deepEqual(
      rows.map(({ i, text }) => [i, text.length, text[0]]),
      rows.map((_, at) => {
        const i = at + 1;
        return [i, size, String.fromCharCode(97 + i % 26)];
      }),
    );
  }
  await assert.rejects(own.unsafe("select 1 / 0"), /division by zero/);
  const rows = await own.unsafe("select 7 seven");
  assert.equal(rows[0].seven, 7, "it goes on behind an error");

  const keeps = async (sql: Sql) => {
    const kept = await sql.unsafe("select repeat('k', 100000) k from generate_series(1, 20)").raw();
    await sql.unsafe("select repeat('x', 100000) x from generate_series(1, 20)");
    return kept.every(([bytes]) => String(bytes) === "k".repeat(100_000));
  };
  const theirs = connect(db.url, { max: 1 });
  t.after(() => theirs.end({ timeout: 1 }));
  assert.equal(await keeps(theirs), true);
  const isNode = !("Bun" in globalThis || "Deno" in globalThis);
  assert.equal(await keeps(own), !isNode, "on Node ours is read in place");
});

/** What breaks off behind its first rows, and why. */
const BROKEN_OFF = {
  "an error": "select 1 / (3 - i) from generate_series(1, 5) i",
  // Wide enough to be sent before it ends.
  "the end of its connection":
    "select repeat('x', 10000), case when i = 5 then pg_terminate_backend(pg_backend_pid()) end from generate_series(1, 9) i",
};

for (const [how, broken] of Object.entries(BROKEN_OFF)) {
  test(`what is answered on a connection whose last answer broke off by ${how} has its rows alone`, async (t) => {
    const { sql } = await open(t);
    /** The first on a new connection may fail of what ended the one before. */
    const ask = async (statement: string): Promise<readonly unknown[]> => {
      return await sql.unsafe(statement).catch((error) => {
        if (!isTransient(error)) throw error;
        return ask(statement);
      });
    };
    await assert.rejects(async () => await sql.unsafe(broken));
    assert.deepEqual([...await ask("select i from generate_series(1, 2) i")], [{ i: 1 }, { i: 2 }]);
    await assert.rejects(async () => await sql.unsafe(broken));
    const both = await ask("select 1 a; select 2 b") as unknown[][];
    assert.deepEqual(both.map((rows) => [...rows]), [[{ a: 1 }], [{ b: 2 }]]);
  });
}

test("what is sent behind a statement that breaks off has its rows alone", async (t) => {
  const { sql } = await open(t);
  const [broken, next] = await Promise.allSettled([
    sql.unsafe(BROKEN_OFF["an error"]),
    sql.unsafe("select i from generate_series(1, 2) i"),
  ]);
  assert.deepEqual([broken.status, next.status], ["rejected", "fulfilled"]);
  assert.deepEqual([...(next as PromiseFulfilledResult<unknown[]>).value], [{ i: 1 }, { i: 2 }]);
});
