/**
 * How each fault is done, and mended again.
 *
 * @module
 */
import { setTimeout as rest } from "node:timers/promises";
import type postgres from "postgres";
import { descendants } from "../processes_below.ts";
import type { ChaosNode } from "./fleet.ts";
import type { Fault } from "./plan.ts";
import type { TcpProxy } from "../harness/tcp_proxy.ts";
import type { OwnServer } from "./server.ts";

/** What can be broken. */
export interface Scene {
  server: OwnServer;
  nodes: ChaosNode[];
  /** Past all proxies. */
  admin: postgres.Sql;
  signal: AbortSignal;
}

/** SIGTERM, shutdown_wait, the grace, the last outcomes, the last connections. */
const DRAIN_MS = 25_000;
const BETWEEN_BACKENDS_MS = 60;

/** Break it, wait, mend it. */
export async function inject(fault: Fault, scene: Scene): Promise<void> {
  const wait = (ms: number) => rest(ms, undefined, { signal: scene.signal }).catch(() => {});
  switch (fault.kind) {
    case "kill_node": {
      const node = scene.nodes[fault.node];
      await node.kill();
      await wait(fault.downMs);
      return node.start();
    }
    case "drain_node": {
      const node = scene.nodes[fault.node];
      await node.drain(DRAIN_MS);
      await wait(fault.downMs);
      return node.start();
    }
    case "freeze_node": {
      const node = scene.nodes[fault.node];
      node.signal("SIGSTOP");
      await wait(fault.forMs);
      return node.signal("SIGCONT");
    }
    case "kill_host":
      return killHost(scene.nodes[fault.node]);
    case "restart_server":
      await scene.server.stop(fault.mode);
      await wait(fault.downMs);
      return await scene.server.start();
    case "terminate_backends":
      return await terminateBackends(scene);
    case "drop":
      return waysOf(fault.node, scene).forEach((way) => way.drop());
    case "delay": {
      const ways = waysOf(fault.node, scene);
      for (const way of ways) way.delay(fault.ms);
      await wait(fault.forMs);
      for (const way of ways) way.delay(0);
      return;
    }
    case "blackhole": {
      const ways = waysOf(fault.node, scene);
      for (const way of ways) way.blackhole();
      await wait(fault.forMs);
      await Promise.all(ways.map((way) => way.heal({ reset: fault.then === "reset" })));
    }
  }
}

/** Whether a node may have said something of it in its log. */
export function isOutage({ kind }: Fault): boolean {
  return kind !== "kill_host" && kind !== "delay";
}

function waysOf(node: number | "all", { nodes }: Scene): TcpProxy[] {
  return node === "all" ? nodes.map(({ proxy }) => proxy) : [nodes[node].proxy];
}

function killHost(node: ChaosNode): void {
  if (node.pid === undefined) return;
  const host = descendants(node.pid)[0];
  if (!host) return;
  try {
    process.kill(host.pid, "SIGKILL");
  } catch {
    // It has just ended.
  }
}

/** Every backend there is, one after the other. */
async function terminateBackends({ admin }: Scene): Promise<void> {
  try {
    const backends = await admin`select pid from pg_stat_activity
      where backend_type = 'client backend' and pid <> pg_backend_pid() order by pid`;
    for (const { pid } of backends) {
      await admin`select pg_terminate_backend(${pid}::int)`;
      await rest(BETWEEN_BACKENDS_MS);
    }
  } catch {
    // The server is away, and its backends with it.
  }
}
