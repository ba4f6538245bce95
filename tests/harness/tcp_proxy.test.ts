import assert from "node:assert/strict";
import { once } from "node:events";
import { connect, createServer, type Socket } from "node:net";
import { setTimeout as rest } from "node:timers/promises";
import { eventually, test, type TestContext } from "../harness.ts";
import { TcpProxy } from "./tcp_proxy.ts";

/** Longer than anything takes that is to arrive. */
const SILENCE_MS = 300;

interface Peer {
  socket: Socket;
  got(): string;
  ended(): string | undefined;
}

function peerOf(socket: Socket): Peer {
  let got = "";
  let ended: string | undefined;
  socket.setEncoding("utf8").on("data", (text: string) => got += text);
  socket.on("error", (error) => ended ??= (error as { code?: string }).code ?? "error");
  socket.on("close", () => ended ??= "close");
  return { socket, got: () => got, ended: () => ended };
}

/** A server that says what it hears, behind a proxy. */
async function site(t: TestContext) {
  const peers: Peer[] = [];
  const server = createServer((socket) => {
    peers.push(peerOf(socket));
    socket.on("data", (text) => socket.write(`echo ${text}`));
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as { port: number };
  const proxy = await TcpProxy.open(`postgres://u:p@127.0.0.1:${port}/d`);
  const clients: Peer[] = [];
  t.after(async () => {
    for (const { socket } of [...clients, ...peers]) socket.destroy();
    await proxy.close();
    server.close();
  });
  const client = async () => {
    const peer = peerOf(connect(proxy.port, "127.0.0.1"));
    clients.push(peer);
    await once(peer.socket, "connect");
    return peer;
  };
  return { proxy, peers, client };
}

async function says(peer: Peer, text: string): Promise<void> {
  peer.socket.write(text);
  await eventually(() => assert.ok(peer.got().endsWith(`echo ${text}`)));
}

test("TcpProxy passes both ways, and its URL leads through it", async (t) => {
  const { proxy, client } = await site(t);
  assert.equal(proxy.url, `postgres://u:p@127.0.0.1:${proxy.port}/d`);
  const one = await client();
  await says(one, "a");
  await says(one, "b");
  assert.deepEqual([proxy.made, proxy.connections], [1, 1]);
});

test("TcpProxy.delay() comes late and keeps the order, also of what comes when it is over", async (t) => {
  const { proxy, client, peers } = await site(t);
  const one = await client();
  await says(one, "a");
  proxy.delay(SILENCE_MS);
  const begun = performance.now();
  one.socket.write("b");
  await eventually(() => peers[0].got().includes("b"));
  assert.ok(performance.now() - begun >= SILENCE_MS - 5);
  one.socket.write("c");
  await rest(20);
  proxy.delay(0);
  one.socket.write("d");
  await eventually(() => peers[0].got().length === 4);
  assert.equal(peers[0].got(), "abcd");
});

test("TcpProxy.delay() never changes the order, however often it changes", async (t) => {
  const { proxy, client, peers } = await site(t);
  const one = await client();
  await says(one, "|");
  let sent = "|";
  for (let i = 0; i < 150; i++) {
    proxy.delay([0, 7, 3, 15, 1][i % 5]);
    sent += `${i},`;
    one.socket.write(`${i},`);
    await rest(i % 3);
  }
  await eventually(() => peers[0].got().length === sent.length);
  assert.equal(peers[0].got(), sent);
});

test("TcpProxy.drop() breaks what there is on both sides; new connections pass", async (t) => {
  const { proxy, client, peers } = await site(t);
  const one = await client();
  await says(one, "a");
  proxy.drop();
  await eventually(() => one.ended() && peers[0].ended());
  await says(await client(), "b");
});

test("TcpProxy.blackhole() swallows both ways without a sign, new connections too, until heal()", async (t) => {
  const { proxy, client, peers } = await site(t);
  const old = await client();
  await says(old, "a");
  proxy.blackhole();
  old.socket.write("lost");
  peers[0].socket.write("lost");
  const fresh = await client();
  fresh.socket.write("lost");
  await rest(SILENCE_MS);
  assert.deepEqual([old.got(), fresh.got(), peers[0].got(), peers.length], ["echo a", "", "a", 1]);
  assert.deepEqual([old.ended(), fresh.ended(), peers[0].ended()], [undefined, undefined, undefined]);
  await proxy.heal();
  await eventually(() => old.ended() && fresh.ended() && peers[0].ended());
  await says(await client(), "b");
});

test("TcpProxy.heal() may leave half open what it swallowed, while new connections pass", async (t) => {
  const { proxy, client } = await site(t);
  const old = await client();
  await says(old, "a");
  proxy.blackhole();
  await proxy.heal({ reset: false });
  old.socket.write("lost");
  await says(await client(), "b");
  await rest(SILENCE_MS);
  assert.deepEqual([old.got(), old.ended()], ["echo a", undefined]);
  await proxy.close();
  await eventually(() => old.ended());
});

test("TcpProxy.refuse() takes no connection until heal(), on the same port", async (t) => {
  const { proxy, client } = await site(t);
  const one = await client();
  await says(one, "a");
  const { port } = proxy;
  await proxy.refuse();
  await eventually(() => one.ended());
  await assert.rejects(client());
  await proxy.heal();
  assert.equal(proxy.port, port);
  await says(await client(), "b");
});
