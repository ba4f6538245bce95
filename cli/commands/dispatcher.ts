import process from "node:process";
import { addressOf } from "../../runtime/admin.ts";
import { systemClock } from "../../runtime/clock.ts";
import { loadConfig } from "../../runtime/config.ts";
import { DispatcherError, EXIT } from "../../runtime/errors.ts";
import { Events, LEVELS } from "../../runtime/events.ts";
import { HTTP_OFF } from "../../runtime/http_access.ts";
import { logWriter } from "../../runtime/log.ts";
import type { DispatcherNode } from "../../runtime/node.ts";
import { systemd } from "../../runtime/systemd.ts";
import type { Parsed } from "../args.ts";
import { type Command, DATABASE_FLAGS } from "../command.ts";
import { type Signals, watchSignals } from "../signals.ts";

const ONCE_POLL_MS = 100;

/** Start a node and stay until it is told to stop. */
export const dispatcher: Command = {
  summary: "Start a node",
  usage:
    "[--workers N | --min-workers N --max-workers N] [--node NAME] [--queues a,b] [--tasks DIR] [--http HOST:PORT | --no-http] [--once]",
  flags: {
    workers: { type: "number", value: "N", help: "Exactly N slots" },
    "min-workers": { type: "number", value: "N", help: "Slots that are always there, by default 4" },
    "max-workers": { type: "number", value: "N", help: "Slots at most, by default 60" },
    node: {
      type: "string",
      value: "NAME",
      help: "Name of the node and of its direct queue, by default the host's",
    },
    queues: { type: "string", value: "a,b", help: "Shared queues, by default `default`" },
    resources: { type: "string", value: "R", help: "What the node offers, as cpu=4,gpu=1" },
    tasks: { type: "string", value: "DIR", help: "Root of the tasks, by default ./tasks" },
    ...DATABASE_FLAGS,
    http: {
      type: "string",
      value: "HOST:PORT",
      help: "Address of dashboard, API and metrics, by default 127.0.0.1:8070",
    },
    "no-http": { type: "boolean", help: "Serve no HTTP" },
    "base-path": { type: "string", value: "/PATH", help: "Path that a proxy puts in front" },
    "log-level": { type: "string", value: "L", help: "debug, info, warning, error", choices: LEVELS },
    "log-format": { type: "string", value: "F", help: "text, json", choices: ["text", "json"] },
    once: { type: "boolean", help: "Work until every queue is empty, then end" },
  },
  async run({ flags, io }) {
    if (flags.workers !== undefined && (flags["min-workers"] ?? flags["max-workers"]) !== undefined) {
      throw new DispatcherError("usage", "Cannot use --workers together with --min-workers or --max-workers");
    }
    if (flags.http !== undefined && flags["no-http"]) {
      throw new DispatcherError("usage", "Cannot use --http together with --no-http");
    }
    const { config, origins, warnings } = await loadConfig({
      flags: configFlags(flags),
      file: flags.config as string | undefined,
    });
    const log = { level: config.log_level, format: config.log_format };
    const events = new Events();
    events.on(logWriter(log, (line) => io.err(line)));
    for (const warning of warnings) events.emit("warning", "config.ignored", warning);
    const supervisor = systemd({ events, clock: systemClock });
    const { startNode }: typeof import("../../runtime/node.ts") = await import(
      "../../runtime/node.ts" as string
    );
    const signals = watchSignals();
    const node = await startNode({
      config,
      origins,
      events,
      log,
      once: flags.once === true,
      signal: signals.stop,
    });
    if (!signals.stop.aborted) {
      io.out(readyLine(node));
      void supervisor?.ready(() => node.pulse());
    }
    if (flags.once) void drainWhenIdle(node, signals);
    await new Promise<void>((resolve) => {
      if (signals.stop.aborted) resolve();
      else signals.stop.addEventListener("abort", () => resolve());
    });
    const patience = AbortSignal.any([signals.hurry, AbortSignal.timeout(config.shutdown_wait * 1000)]);
    void supervisor?.stopping();
    await node.stop(patience);
    supervisor?.end();
    return EXIT.ok;
  },
};

function configFlags(flags: Parsed["flags"]): Record<string, unknown> {
  return {
    database_url: flags["database-url"],
    node: flags.node,
    queues: typeof flags.queues === "string"
      ? flags.queues.split(",").map((queue) => queue.trim())
      : undefined,
    resources: flags.resources,
    tasks: flags.tasks,
    http: flags["no-http"] ? HTTP_OFF : flags.http,
    http_base_path: flags["base-path"],
    log_level: flags["log-level"],
    log_format: flags["log-format"],
    pool: {
      min_workers: flags.workers ?? flags["min-workers"],
      max_workers: flags.workers ?? flags["max-workers"],
    },
  };
}

async function drainWhenIdle(node: DispatcherNode, signals: Signals): Promise<void> {
  while (!signals.stop.aborted) {
    if (await node.idle().catch(() => false)) return signals.end();
    await new Promise((resolve) => setTimeout(resolve, ONCE_POLL_MS));
  }
}

function readyLine(node: DispatcherNode): string {
  const { config } = node;
  const facts = {
    node: node.name,
    pid: process.pid,
    workers: node.pool.fleet.slots.size,
    min: config.pool.min_workers,
    max: config.pool.max_workers,
    queues: [...node.queues, "broadcast"].join(","),
    http: node.http ?? HTTP_OFF,
    database: node.embedded ? "embedded" : addressOf(config.database_url!).split("/")[0],
  };
  if (config.log_format === "json") return JSON.stringify({ event: "ready", ...facts });
  return `ready ${Object.entries(facts).map(([key, value]) => `${key}=${value}`).join(" ")}`;
}
