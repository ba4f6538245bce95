import assert from "node:assert/strict";
import { existsSync, linkSync, mkdirSync, statSync, writeFileSync } from "node:fs";
import { createConnection, createServer, type Socket } from "node:net";
import { join } from "node:path";
import { toPayloads } from "../../runtime/broker/chunks.ts";
import { SocketBroker } from "../../runtime/broker/socket.ts";
import { type SocketHandler, SocketServer } from "../../runtime/broker/socket_server.ts";
import { systemClock } from "../../runtime/clock.ts";
import { request } from "../../runtime/control/control.ts";
import type { DispatcherError } from "../../runtime/errors.ts";
import { eventually, tempDir, test, type TestContext } from "../harness.ts";

const MB = 1024 * 1024;
const echo: SocketHandler = (payload, answer) => answer(JSON.stringify({ echo: JSON.parse(payload) }));

async function serve(t: TestContext, handler: SocketHandler = echo, path = join(tempDir(), "node.sock")) {
  const server = new SocketServer(path, handler);
  t.after(() => server.stop());
  await server.start();
  return { server, path };
}

function client(t: TestContext, path: string): SocketBroker {
  const made = new SocketBroker(path);
  t.after(() => made.close());
  return made;
}

/** Listen, and remember what comes. */
async function hear(broker: SocketBroker): Promise<string[]> {
  const heard: string[] = [];
  await broker.listen(["mine"], { gap() {}, message: (_channel, payload) => void heard.push(payload) });
  return heard;
}

/** A connection that speaks as it likes. */
function raw(t: TestContext, path: string): { socket: Socket; closed: Promise<unknown> } {
  const socket = createConnection(path);
  t.after(() => socket.destroy());
  // Cut off in the midst of what it writes.
  socket.on("error", () => {});
  return { socket, closed: new Promise((resolve) => socket.once("close", resolve)) };
}

test("SocketServer answers on the connection that asked, and each client hears its own only", async (t) => {
  const { path } = await serve(t);
  const clients = [1, 2, 3].map(() => client(t, path));
  const heard = await Promise.all(clients.map(hear));
  for (const i of [0, 1, 2]) await clients[i].notify("any", JSON.stringify({ i }));
  await clients[0].notify("any", '{"i":"again € \u{1F600}"}');
  await eventually(() => {
    assert.deepEqual(heard[0], ['{"echo":{"i":0}}', '{"echo":{"i":"again € \u{1F600}"}}']);
    assert.deepEqual(heard.slice(1), [['{"echo":{"i":1}}'], ['{"echo":{"i":2}}']]);
  });
});

test("SocketBroker carries a request and its reply of a megabyte", async (t) => {
  const { path } = await serve(t, (payload, answer) => {
    const { control, reply_to, control_data } = JSON.parse(payload);
    assert.match(reply_to, /^dispatcher_reply_/);
    answer(JSON.stringify({ node_id: "n1", control, text: "x".repeat(control_data.length) }));
  });
  const ask = { channel: "n1", command: "status", data: { length: MB }, timeout: 20, expected: 1 };
  const [reply] = await request(client(t, path), systemClock, ask);
  assert.deepEqual([reply.node_id, reply.control, (reply.text as string).length], ["n1", "status", MB]);
});

test("SocketBroker that stopped listening hears nothing, and connects anew after a reset", async (t) => {
  const { path } = await serve(t);
  const broker = client(t, path);
  const gone: string[] = [];
  const stop = await broker.listen(["gone"], { gap() {}, message: (_c, text) => void gone.push(text) });
  const heard = await hear(broker);
  await stop();
  await broker.notify("any", "1");
  await eventually(() => assert.deepEqual(heard, ['{"echo":1}']));
  await broker.reset();
  await broker.notify("any", "2");
  await eventually(() => assert.deepEqual(heard, ['{"echo":1}', '{"echo":2}']));
  assert.deepEqual(gone, []);
});

test("SocketBroker carries a reply in chunks and in pieces, of any length", async (t) => {
  const text = 'h€\u{1F600}"\\\n'.repeat(20_000);
  const { path } = await serve(t, (_payload, answer) => {
    // Chunks as for a NOTIFY, the last one first, and among them the other lines that a socket may carry.
    const payloads = toPayloads(JSON.stringify({ node_id: "n1", text }));
    assert.ok(payloads.length > 10);
    for (const payload of payloads.reverse()) answer(payload);
  });
  const ask = { channel: "n1", command: "status", timeout: 20, expected: 1 };
  assert.deepEqual(await request(client(t, path), systemClock, ask), [{ node_id: "n1", text }]);
});

/** A server that takes what it is asked and hangs up; `answers` is what it says before. */
async function hangsUp(t: TestContext, answers: string[] = []) {
  const path = join(tempDir(), "node.sock");
  let asked = 0;
  const server = createServer((socket) => {
    socket.on("error", () => {});
    socket.once("data", () => {
      asked++;
      for (const answer of answers) socket.write(answer);
      socket.end();
    });
  });
  await new Promise<void>((resolve) => server.listen(path, resolve));
  const stop = () => new Promise((resolve) => server.close(resolve));
  t.after(() => server.listening && stop());
  return { path, stop, asked: () => asked };
}

const LONG = { channel: "n1", command: "alive", timeout: 3_600, expected: 1 };

test("SocketBroker that loses its connection says so at once, and reaches the next node when it is asked anew", async (t) => {
  const { path, stop, asked } = await hangsUp(t);
  const broker = client(t, path);
  const says = (error: DispatcherError) => {
    assert.deepEqual([error.code, error.exit], ["unavailable", 69]);
    assert.equal(error.message, `Lost the connection to the node on socket "${path}": it was closed`);
    return true;
  };
  await assert.rejects(request(broker, systemClock, LONG), says);
  await assert.rejects(request(broker, systemClock, LONG), says);
  assert.equal(asked(), 2, "each on a connection of its own");
  await stop();
  await serve(t, (_payload, answer) => answer('{"node_id":"n2"}'), path);
  assert.deepEqual(await request(broker, systemClock, LONG), [{ node_id: "n2" }]);
});

test("SocketBroker that loses its connection gives what was answered before, if not half an answer", async (t) => {
  const whole = await hangsUp(t, ['{"node_id":"n1"}\n']);
  const more = { ...LONG, expected: 2 };
  assert.deepEqual(await request(client(t, whole.path), systemClock, more), [{ node_id: "n1" }]);
  const [first] = toPayloads(JSON.stringify({ text: "x".repeat(9_000) }));
  const half = await hangsUp(t, [`${first}\n`]);
  const cut = await hangsUp(t, ['"no reply"\n', '{"node_id":']);
  for (const { path } of [half, cut]) {
    await assert.rejects(
      request(client(t, path), systemClock, LONG),
      /^DispatcherError: Lost the connection/,
    );
  }
});

test("SocketBroker says which socket it cannot reach", async (t) => {
  const path = join(tempDir(), "nobody.sock");
  await assert.rejects(client(t, path).notify("any", "{}"), (error: DispatcherError) => {
    assert.equal(error.code, "unavailable");
    assert.match(error.message, /^Cannot reach a node on socket ".*nobody\.sock": /);
    return true;
  });
});

test("SocketServer takes lines in pieces, several in one, and a last one without a line feed", async (t) => {
  const lines: string[] = [];
  const { path } = await serve(t, (payload) => void lines.push(payload));
  const { socket } = raw(t, path);
  socket.write('{"a":');
  await new Promise((resolve) => socket.write("1}\n\n  \n2\n3\n", resolve));
  await eventually(() => assert.deepEqual(lines, ['{"a":1}', "2", "3"]));
  socket.end("last");
  await eventually(() => assert.deepEqual(lines, ['{"a":1}', "2", "3", "last"]));
});

test("SocketServer.start() replaces the file of one that died, and only its owner may connect", async (t) => {
  const { server, path: first } = await serve(t);
  // What a killed process leaves: a socket without a listener.
  const path = `${first}.stale`;
  linkSync(first, path);
  await server.stop();
  await serve(t, echo, path);
  const stat = statSync(path);
  assert.ok(stat.isSocket());
  assert.equal(stat.mode & 0o777, 0o600);
  const broker = client(t, path);
  const heard = await hear(broker);
  await broker.notify("any", "1");
  await eventually(() => assert.deepEqual(heard, ['{"echo":1}']));
});

test("SocketServer.start() refuses a path on which another one answers, with exit 78", async (t) => {
  const { path } = await serve(t);
  const second = new SocketServer(path, echo);
  await assert.rejects(second.start(), (error: DispatcherError) => {
    assert.deepEqual([error.code, error.exit], ["config", 78]);
    assert.equal(error.message, `Cannot listen on socket "${path}": another process listens on it`);
    return true;
  });
  await second.stop();
  assert.ok(existsSync(path), "the other one's socket stays");
});

test("SocketServer.start() refuses a place that cannot be used, with exit 78", async () => {
  const inNothing = join(tempDir(), "nothing", "node.sock");
  const folder = join(tempDir(), "folder");
  mkdirSync(folder);
  const file = join(folder, "precious");
  writeFileSync(file, "a file");
  for (const path of [inNothing, folder, file]) {
    await assert.rejects(new SocketServer(path, echo).start(), (error: DispatcherError) => {
      assert.equal(error.exit, 78, `${error}`);
      assert.ok(error.message.startsWith(`Cannot listen on socket "${path}": `), error.message);
      return true;
    });
  }
  assert.ok(existsSync(file));
});

test("SocketServer cuts off a client that sends 20 MB without a line feed, and no other one", async (t) => {
  const { path } = await serve(t);
  const broker = client(t, path);
  const heard = await hear(broker);
  const { socket, closed } = raw(t, path);
  for (let i = 0; i < 20; i++) socket.write("x".repeat(MB));
  await closed;
  await broker.notify("any", "1");
  await eventually(() => assert.deepEqual(heard, ['{"echo":1}']));
});

test("SocketServer goes on when a client leaves before its answer, or its handler throws", async (t) => {
  const answers: ((text: string) => void)[] = [];
  const { path } = await serve(t, (payload, answer) => {
    if (payload === "later") answers.push(answer);
    else echo(payload, answer);
  });
  const { socket, closed } = raw(t, path);
  socket.write("later\n");
  await eventually(() => answers.length === 1);
  socket.destroy();
  await closed;
  answers[0]("too late");
  const nonsense = raw(t, path);
  nonsense.socket.write("\0\xff{no JSON\n");
  await nonsense.closed;
  const broker = client(t, path);
  const heard = await hear(broker);
  await broker.notify("any", "1");
  await eventually(() => assert.deepEqual(heard, ['{"echo":1}']));
});

test("SocketServer.stop() cuts its clients off, removes the file, and is harmless twice", async (t) => {
  const { server, path } = await serve(t);
  const { socket, closed } = raw(t, path);
  await new Promise((resolve) => socket.once("connect", resolve));
  await server.stop();
  await server.stop();
  await closed;
  assert.equal(existsSync(path), false);
  const other = createServer();
  await new Promise<void>((resolve) => other.listen(path, resolve));
  await new Promise((resolve) => other.close(resolve));
});
