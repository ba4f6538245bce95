/**
 * The stage of the demonstration: a database, three nodes, a receiver, and somebody who takes notifications.
 *
 * @module
 */
import { Buffer } from "node:buffer";
import { randomBytes } from "node:crypto";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import process from "node:process";
import { writeFileSync } from "node:fs";
import { startEmbedded, stopEmbedded } from "../../../runtime/admin.ts";
import { onProcessEnd } from "../../harness/process_end.ts";
import { type NodeProcess, startNode } from "../../processes.ts";
import { isRunning } from "../../processes_below.ts";
import { ReceiverProcess } from "../receiver/rig.ts";

/** What runs on it. */
export interface Stage {
  url: string;
  nodes: NodeProcess[];
  /** What the webhook was told. */
  told: Record<string, unknown>[];
  webhook: string;
  /** Node that serves the dashboard of the demonstration; it is not killed. */
  dashboard: string;
  close(): Promise<void>;
}

/** Dead nodes are found within seconds, so that nobody has to wait. */
const CONFIG = {
  lease_seconds: 4,
  heartbeat_seconds: 1,
  leader_seconds: 4,
  schedules: {
    "awx: heartbeat": {
      task: "system/cluster_node_heartbeat",
      every: 2,
      scope: "node",
      priority: -200,
      on_duplicate: "queue_one",
    },
    "awx: reaper": { task: "system/awx_reaper", every: 2, priority: -200, on_duplicate: "queue_one" },
  },
};

/** Set it up. @param given A database to use instead of an embedded one. */
export async function setStage(
  dir: string,
  given: string | undefined,
  say: (line: string) => void,
): Promise<Stage> {
  const closing: (() => Promise<unknown>)[] = [];
  const close = async () => {
    for (const end of closing.reverse()) await end().catch(() => {});
  };
  try {
    const url = given ?? await embedded(dir, say, closing);
    const { webhook, told } = await listener(closing);
    const config = join(dir, "config.json");
    writeFileSync(config, JSON.stringify(CONFIG));
    const env = {
      DISPATCHER_EXTENSION: "on",
      AWX_SECRET_KEY: process.env.AWX_SECRET_KEY ??= randomBytes(32).toString("base64"),
    };
    const names = ["demo-1", "demo-2", "demo-3"];
    const nodes = await Promise.all(names.map((name) =>
      startNode({
        url,
        env,
        args: ["--node", name, "--config", config, "--http", "127.0.0.1:0", "--workers", "6"],
      })
    ));
    closing.push(() => Promise.all(nodes.map((node) => node.stop())));
    for (const { name, http } of nodes) say(`node ${name} is ready, dashboard at ${http}`);
    const receiver = new ReceiverProcess(["--no-http", "--database-url", url, "--name", "demo-receiver"]);
    closing.push(() => receiver.stop());
    await receiver.ready();
    say("the callback receiver is ready");
    return { url, nodes, told, webhook, dashboard: nodes[0].http, close };
  } catch (error) {
    await close();
    throw error;
  }
}

async function embedded(
  dir: string,
  say: (line: string) => void,
  closing: (() => Promise<unknown>)[],
): Promise<string> {
  say("starting an embedded PostgreSQL");
  const pg = { dir: join(dir, "postgres") };
  const { url, pid } = await startEmbedded(pg);
  // It would outlive a Ctrl-C.
  onProcessEnd(() => isRunning(pid) && process.kill(pid, "SIGINT"));
  closing.push(() => stopEmbedded(pg));
  return url;
}

async function listener(closing: (() => Promise<unknown>)[]): Promise<Pick<Stage, "webhook" | "told">> {
  const told: Record<string, unknown>[] = [];
  const server = createServer(async (request, response) => {
    const parts: Uint8Array[] = [];
    for await (const part of request) parts.push(part);
    told.push(JSON.parse(new TextDecoder().decode(Buffer.concat(parts))));
    response.end("ok");
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  closing.push(() => new Promise((resolve) => server.close(resolve)));
  return { webhook: `http://127.0.0.1:${(server.address() as AddressInfo).port}/release`, told };
}
