import { EXIT } from "../../runtime/errors.ts";
import type { PublishOptions } from "../../runtime/envelope.ts";
import { type Resources, resourcesOf } from "../../runtime/resources.ts";
import { type Parsed, parseJson, secondsOf, usage } from "../args.ts";
import { type Command, DATABASE_FLAGS } from "../command.ts";
import { publishLines, tell } from "./publish_lines.ts";

/** Publish one envelope, or many from stdin. */
export const publish: Command = {
  summary: "Publish an envelope; prints its uuid",
  usage: "TASK [JSON-ARGS…] | -",
  words: true,
  flags: {
    kwargs: { type: "string", value: "JSON", help: "Keyword arguments, an object" },
    queue: { type: "string", value: "Q", help: "Shared queue or a node's name, by default `default`" },
    broadcast: { type: "boolean", help: "To every live node" },
    delay: { type: "number", value: "S", help: "Seconds to wait before it may run" },
    at: { type: "string", value: "ISO", help: "Time before which it may not run" },
    timeout: { type: "number", value: "S", help: "Seconds that an attempt may take" },
    priority: { type: "number", value: "N", help: "Smaller runs earlier, by default 0" },
    resources: {
      type: "string",
      value: "R",
      help: "What it needs of its node while it runs, as cpu=2,gpu=1",
    },
    preemptible: {
      type: "boolean",
      help: "It may be stopped for something more urgent, and runs again later",
    },
    "max-attempts": { type: "number", value: "N", help: "Attempts at most, by default what the task says" },
    "on-duplicate": {
      type: "string",
      value: "M",
      choices: ["parallel", "discard", "serial", "queue_one"],
      help: "When an equal one waits or runs: parallel, discard, serial, queue_one",
    },
    volatile: { type: "boolean", help: "Over the broker only: lowest latency, lost when nobody listens" },
    uuid: { type: "string", value: "U", help: "An id of your own; publishing it twice changes nothing" },
    wait: { type: "boolean", help: "Wait for the outcome and print the result" },
    within: { type: "number", value: "S", help: "Seconds to wait for the outcome, by default 300" },
    ...DATABASE_FLAGS,
  },
  async run(context) {
    const { rest, flags, io } = context;
    if (rest.length === 0) throw usage("Cannot publish: no task is named");
    if (rest[0] === "-") return await publishLines(context);
    const [task, ...words] = rest;
    const args = words.map((word, i) => parseJson(word, `argument ${i + 1}`));
    const options = optionsOf(flags);
    const within = secondsOf(flags, "within");
    const client = await context.client();
    const published = await client.publish(task, args, options);
    tell(io, published);
    if (flags.wait) io.out(JSON.stringify(await published.result({ within })));
    return EXIT.ok;
  },
};

function readResources(text: string): Resources {
  const resources = resourcesOf(text);
  if (!resources) throw usage(`Cannot read --resources ${JSON.stringify(text)}: give it as cpu=2,gpu=1`);
  return resources;
}

function optionsOf(flags: Parsed["flags"]): PublishOptions {
  if (flags.broadcast && flags.queue !== undefined) {
    throw usage("Cannot use --broadcast together with --queue");
  }
  const kwargs = flags.kwargs === undefined ? undefined : parseJson(flags.kwargs as string, "--kwargs");
  return {
    kwargs: kwargs as Record<string, unknown>,
    queue: flags.broadcast ? "broadcast" : flags.queue as string,
    delay: flags.delay as number,
    at: flags.at as string,
    timeout: flags.timeout as number,
    priority: flags.priority as number,
    resources: flags.resources === undefined ? undefined : readResources(flags.resources as string),
    preemptible: flags.preemptible as boolean,
    maxAttempts: flags["max-attempts"] as number,
    onDuplicate: flags["on-duplicate"] as PublishOptions["onDuplicate"],
    volatile: flags.volatile as boolean,
    uuid: flags.uuid as string,
  };
}
