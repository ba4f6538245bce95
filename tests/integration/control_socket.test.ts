/** `control --socket`: answers of any length, and a node that goes away. */
import assert from "node:assert/strict";
import { createServer } from "node:net";
import { join } from "node:path";
import { SocketBroker } from "../../runtime/broker/socket.ts";
import { systemClock } from "../../runtime/clock.ts";
import { request } from "../../runtime/control/control.ts";
import { tempDir, test } from "../harness.ts";
import { spawnCli } from "../processes.ts";
import { cluster } from "./cluster.ts";

const MANY = 150;

test("cli control --socket prints an answer of many thousand bytes whole", async (t) => {
  const { node } = await cluster(t);
  const path = join(tempDir(), "node.sock");
  await node({ name: "n1", workers: 1, config: { socket_path: path } });
  const broker = new SocketBroker(path);
  t.after(() => broker.close());
  for (let i = 0; i < MANY; i++) {
    const data = { task: "examples.add", args: [i, "€".repeat(100)], delay: 3_600 };
    const ask = { channel: "n1", command: "run", data, timeout: 20, expected: 1 };
    assert.ok((await request(broker, systemClock, ask))[0].ack);
  }
  const { code, stdout, stderr } = await spawnCli([
    "control",
    "running",
    "--timeout",
    "20",
    "--socket",
    path,
  ]);
  assert.deepEqual([code, stderr.replace(/^Download .*\n/gm, "")], [0, ""]);
  assert.ok(stdout.length > 16_000, `${stdout.length}`);
  const { node_id, ...running } = JSON.parse(stdout);
  assert.equal(node_id, "n1");
  // deno-lint-ignore no-explicit-any
  const numbers = Object.values(running).map((one: any) => one.args[0]);
  assert.deepEqual(numbers.sort((a, b) => a - b), Array.from({ length: MANY }, (_, i) => i));
});

test("cli control --socket ends with 69 at once when its node goes away before it answers", async (t) => {
  const path = join(tempDir(), "node.sock");
  // A node that dies with the question in its hands.
  const server = createServer((socket) => {
    socket.on("error", () => {});
    socket.once("data", () => socket.destroy());
  });
  await new Promise<void>((resolve) => server.listen(path, resolve));
  t.after(() => new Promise((resolve) => server.close(resolve)));
  const ask = ["control", "alive", "--timeout", "3600", "--socket", path];
  const { code, stdout, stderr } = await spawnCli(ask);
  assert.deepEqual([code, stdout], [69, ""]);
  assert.match(stderr, /^Lost the connection to the node on socket ".*node\.sock": .*$/m);
});
