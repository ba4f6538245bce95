import process from "node:process";
import { systemClock } from "../../runtime/clock.ts";
import { loadConfig } from "../../runtime/config.ts";
import { DispatcherError, EXIT } from "../../runtime/errors.ts";
import { Events, LEVELS } from "../../runtime/events.ts";
import { HTTP_OFF } from "../../runtime/http_access.ts";
import { logWriter } from "../../runtime/log.ts";
import type { RunningReceiver } from "../../runtime/receiver/start.ts";
import { systemd } from "../../runtime/systemd.ts";
import { usage } from "../args.ts";
import { type Command, DATABASE_FLAGS } from "../command.ts";
import { watchSignals } from "../signals.ts";

const MOST_WORKERS = 32;

/** Start a callback receiver and stay until it is told to stop. */
export const callbackReceiver: Command = {
  summary: "Write the events of jobs from Redis or PostgreSQL into the database",
  usage: "[--redis URL] [--key K] [--workers N] [--name NAME] [--http HOST:PORT | --no-http]",
  flags: {
    redis: {
      type: "string",
      value: "URL",
      help:
        "Redis that events come from, by default CALLBACK_REDIS_URL; without one they come from PostgreSQL",
    },
    key: { type: "string", value: "K", help: "List in Redis, by default callback_tasks" },
    workers: { type: "number", value: "N", help: "Batches that are written at once, by default 4" },
    name: { type: "string", value: "NAME", help: "Name of the receiver, by default the host's and the pid" },
    ...DATABASE_FLAGS,
    http: {
      type: "string",
      value: "HOST:PORT",
      help: "Address of metrics and probes, by default 127.0.0.1:8071",
    },
    "no-http": { type: "boolean", help: "Serve no HTTP" },
    "log-level": { type: "string", value: "L", help: "debug, info, warning, error", choices: LEVELS },
    "log-format": { type: "string", value: "F", help: "text, json", choices: ["text", "json"] },
  },
  async run({ flags, io }) {
    if (flags.http !== undefined && flags["no-http"]) {
      throw new DispatcherError("usage", "Cannot use --http together with --no-http");
    }
    const redis = flags.redis as string | undefined ?? process.env.CALLBACK_REDIS_URL;
    const { config } = await loadConfig({
      flags: {
        database_url: flags["database-url"],
        http: flags.http,
        log_level: flags["log-level"],
        log_format: flags["log-format"],
      },
      file: flags.config as string | undefined,
    });
    const events = new Events();
    events.on(logWriter({ level: config.log_level, format: config.log_format }, (line) => io.err(line)));
    const supervisor = systemd({ events, clock: systemClock });
    const { startReceiver }: typeof import("../../runtime/receiver/start.ts") = await import(
      "../../runtime/receiver/start.ts" as string
    );
    const signals = watchSignals();
    const receiver = await startReceiver({
      config,
      events,
      redis: redis || undefined,
      key: keyOf(flags.key as string | undefined, redis),
      workers: workersOf(flags.workers as number | undefined),
      name: flags.name as string | undefined,
      http: flags["no-http"] ? HTTP_OFF : flags.http as string | undefined,
      signal: signals.stop,
    });
    io.out(readyLine(receiver, config.log_format));
    void supervisor?.ready(() => receiver.pulse());
    await new Promise<void>((resolve) => {
      if (signals.stop.aborted) resolve();
      else signals.stop.addEventListener("abort", () => resolve());
    });
    void supervisor?.stopping();
    const wait = AbortSignal.timeout(config.shutdown_wait * 1_000);
    await receiver.stop(AbortSignal.any([signals.hurry, wait]));
    supervisor?.end();
    return EXIT.ok;
  },
};

function keyOf(key: string | undefined, redis: string | undefined): string | undefined {
  if (key === undefined) return undefined;
  if (!redis) throw usage("Cannot use --key without --redis");
  if (key.trim() === "") throw usage("Cannot use --key: it is blank");
  return key;
}

function workersOf(count: number | undefined): number | undefined {
  if (count === undefined || (Number.isInteger(count) && count >= 1 && count <= MOST_WORKERS)) return count;
  throw usage(`Cannot use --workers ${count}: it is no whole number from 1 to ${MOST_WORKERS}`);
}

function readyLine(receiver: RunningReceiver, format: "text" | "json"): string {
  const { name, source, from, http = HTTP_OFF } = receiver;
  const facts = { receiver: name, pid: process.pid, source, from, http };
  if (format === "json") return JSON.stringify({ event: "ready", ...facts });
  return `ready ${Object.entries(facts).map(([key, value]) => `${key}=${value}`).join(" ")}`;
}
