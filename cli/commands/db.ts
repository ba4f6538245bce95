import { embeddedStatus, startEmbedded, stopEmbedded } from "../../runtime/admin.ts";
import { DispatcherError, errorLine, EXIT } from "../../runtime/errors.ts";
import { type Command, type Context, JSON_FLAG } from "../command.ts";

const flags = {
  config: { type: "string" as const, value: "FILE", help: "Configuration file (.json, .yaml, .ts, .js)" },
};

/** Start the embedded server, or find it running. */
export const dbStart: Command = {
  summary: "Start the embedded PostgreSQL",
  usage: "",
  flags,
  async run(context) {
    const { io } = context;
    const { pid, port, dir, started } = await orUnavailable(
      startEmbedded({ dir: await dirOf(context), log: io.err }),
    );
    io.out(`${started ? "started" : "running"} pid=${pid} port=${port} dir=${dir}`);
  },
};

/** Say whether the embedded server runs. */
export const dbStatus: Command = {
  summary: "Show whether the embedded PostgreSQL runs",
  usage: "",
  flags: { ...flags, ...JSON_FLAG },
  async run(context) {
    const { io } = context;
    const { url: _, ...status } = await orUnavailable(embeddedStatus({ dir: await dirOf(context) }));
    if (context.flags.json) io.out(JSON.stringify(status));
    else {io.out(
        Object.entries(status).map(([key, value]) => key === "state" ? value : `${key}=${value}`).join(" "),
      );}
    return status.state === "running" ? EXIT.ok : EXIT.unavailable;
  },
};

/** Stop the embedded server. */
export const dbStop: Command = {
  summary: "Stop the embedded PostgreSQL",
  usage: "",
  flags,
  async run(context) {
    const stopped = await orUnavailable(stopEmbedded({ dir: await dirOf(context) }));
    context.io.out(stopped ? "stopped" : "not running");
  },
};

/** Print the address of the embedded server, with its password: for psql and other programs. */
export const dbUrl: Command = {
  summary: "Print the address of the embedded PostgreSQL, password included",
  usage: "",
  flags,
  async run(context) {
    const { url } = await orUnavailable(embeddedStatus({ dir: await dirOf(context) }));
    if (url === undefined) {
      throw new DispatcherError(
        "unavailable",
        "The embedded PostgreSQL does not run: start it with `db start`",
      );
    }
    context.io.out(url);
  },
};

async function dirOf({ config }: Context): Promise<string | undefined> {
  return (await config()).config.embedded_dir;
}

async function orUnavailable<T>(work: Promise<T>): Promise<T> {
  try {
    return await work;
  } catch (error) {
    throw new DispatcherError("unavailable", errorLine(error), { cause: error });
  }
}
