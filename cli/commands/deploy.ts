import { relative } from "node:path";
import process from "node:process";
import { DispatcherError } from "../../runtime/errors.ts";
import { didYouMean } from "../../runtime/suggest.ts";
import type { Flags } from "../args.ts";
import { type Command, type Context, DATABASE_FLAGS } from "../command.ts";
import { dockerfile } from "../deploy/docker.ts";
import { manifests } from "../deploy/kubernetes.ts";
import { listens, type Plan, reached, RUNTIMES } from "../deploy/plan.ts";
import { systemdUnit } from "../deploy/systemd.ts";

const RECEIVER: Flags = {
  receiver: { type: "boolean", help: "For a callback receiver instead of a node" },
};
const RUNTIME_FLAGS: Flags = {
  ...RECEIVER,
  runtime: { type: "string", value: "R", help: "deno, bun, node; by default node" },
  net: {
    type: "string",
    value: "H:P,…",
    help: "What Deno may reach, by default what the configuration names",
  },
};

/** A unit on stdout. */
export const deploySystemd: Command = {
  summary: "Print a systemd unit",
  usage: "[--receiver] [--runtime R] [--dir DIR] [--binary FILE] [--user USER]",
  flags: {
    ...RUNTIME_FLAGS,
    dir: {
      type: "string",
      value: "DIR",
      help: "The project's folder there, by default /opt/edge-dispatcher",
    },
    binary: { type: "string", value: "FILE", help: "The runtime's program there" },
    user: { type: "string", value: "USER", help: "Run as this user, by default one of its own" },
    ...DATABASE_FLAGS,
  },
  async run(context) {
    const { binary, user } = context.flags as Record<string, string | undefined>;
    context.io.out(systemdUnit(await planOf(context), { binary, user }));
  },
};

/** A Dockerfile on stdout. */
export const deployDocker: Command = {
  summary: "Print a Dockerfile",
  usage: "[--receiver] [--runtime R]",
  flags: { ...RUNTIME_FLAGS, ...DATABASE_FLAGS },
  async run(context) {
    context.io.out(dockerfile(await planOf(context)));
  },
};

/** Manifests on stdout. */
export const deployKubernetes: Command = {
  summary: "Print manifests for Kubernetes, with scaling by KEDA",
  usage: "--image IMAGE [--receiver] [--name NAME] [--namespace NS] [--min N] [--max N] [--age S]",
  flags: {
    ...RECEIVER,
    image: { type: "string", value: "IMAGE", help: "What `deploy docker` was built as" },
    name: {
      type: "string",
      value: "NAME",
      help: "Of everything, by default edge-dispatcher, with --receiver edge-dispatcher-receiver",
    },
    namespace: { type: "string", value: "NS", help: "By default `default`" },
    min: { type: "number", value: "N", help: "Nodes at least, or receivers, by default 2" },
    max: { type: "number", value: "N", help: "Nodes at most, by default 10" },
    age: { type: "number", value: "S", help: "Seconds the oldest envelope may wait, by default 10" },
    ...DATABASE_FLAGS,
  },
  async run(context) {
    const plan = await planOf(context);
    const usual = plan.role === "node" ? "edge-dispatcher" : "edge-dispatcher-receiver";
    const { image, name = usual, namespace = "default" } = context.flags as Record<string, string>;
    const only = ["max", "age"].find((flag) => context.flags[flag] !== undefined);
    if (plan.role === "receiver" && only) {
      throw new DispatcherError(
        "usage",
        `Cannot use --${only} together with --receiver: they are not scaled`,
      );
    }
    const { min = 2, max = 10, age = 10 } = context.flags as Record<string, number>;
    if (image === undefined) throw new DispatcherError("usage", "Cannot write manifests without --image");
    if (!(min >= 1 && (plan.role === "receiver" || max >= min) && age > 0)) {
      throw new DispatcherError("usage", `Cannot scale from ${min} to ${max} nodes at ${age} s`);
    }
    const { stringify } = await import("yaml");
    const scale = { image, name, namespace, min, max, age };
    const documents = manifests(plan, scale);
    context.io.out(
      documents.map((document) => stringify(document, { lineWidth: 0 })).join("---\n").trimEnd(),
    );
  },
};

async function planOf(context: Context): Promise<Plan> {
  const { runtime = "node", dir = "/opt/edge-dispatcher", net } = context.flags as Record<string, string>;
  const found = RUNTIMES.find((name) => name === runtime);
  if (found === undefined) {
    throw new DispatcherError("usage", `Unknown runtime "${runtime}"${didYouMean(runtime, [...RUNTIMES])}`);
  }
  const { config } = await context.config();
  const outside = relative(process.cwd(), config.tasks).startsWith("..");
  const what = { role: context.flags.receiver ? "receiver" as const : "node" as const, config };
  const there = net?.split(",") ?? reached(config, redisOf(what));
  return {
    ...what,
    runtime: found,
    dir,
    read: outside ? [config.tasks] : [],
    net: there && [...new Set([...there, ...listens(what)])],
  };
}

/** Where a receiver's events come from, as `HOST:PORT`; undefined when it is the database. */
function redisOf({ role }: Pick<Plan, "role">): string | undefined {
  const { CALLBACK_REDIS_URL: url } = process.env;
  if (role === "node" || !url) return undefined;
  if (!/^rediss?:\/\//.test(url) || !URL.canParse(url)) {
    // Not shown: there may be a password in it.
    throw new DispatcherError(
      "usage",
      "Cannot use CALLBACK_REDIS_URL: it must look like redis://host:6379/0",
    );
  }
  const { hostname, port } = new URL(url);
  return `${hostname || "localhost"}:${port || 6379}`;
}
