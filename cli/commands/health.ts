import { addressText, HTTP_OFF, httpAddress } from "../../runtime/http_access.ts";
import { DispatcherError, errorLine, EXIT } from "../../runtime/errors.ts";
import { secondsOf, usage } from "../args.ts";
import { type Command, type Context, DATABASE_FLAGS, JSON_FLAG } from "../command.ts";

const TIMEOUT_SECONDS = 2;

/** A probe over HTTP, for supervisors that run commands. */
function probe(path: "/livez" | "/readyz", summary: string): Command {
  return {
    summary,
    usage: "[--url URL] [--timeout S]",
    flags: {
      url: { type: "string", value: "URL", help: "Of the node, by default where the configuration says" },
      timeout: { type: "number", value: "S", help: `Seconds to wait, by default ${TIMEOUT_SECONDS}` },
      ...JSON_FLAG,
      config: DATABASE_FLAGS.config,
    },
    async run(context) {
      const { io, flags } = context;
      const { status, body } = await ask(await baseOf(context), path, secondsOf(flags, "timeout"));
      if (flags.json) io.out(JSON.stringify(body));
      else {
        const { status: word, ...facts } = body;
        const rest = Object.entries(facts).map(([name, value]) => ` ${name}=${value}`).join("");
        io.out(`${word}${rest}`);
      }
      return status === 200 ? EXIT.ok : EXIT.failed;
    },
  };
}

export const healthLive: Command = probe("/livez", "Exit 0 when the node of this machine answers");
export const healthReady: Command = probe(
  "/readyz",
  "Exit 0 when work may be sent to the node of this machine",
);

async function baseOf({ flags, config }: Context): Promise<string> {
  const given = flags.url as string | undefined;
  if (given !== undefined) {
    if (!URL.canParse(given) || !/^https?:/.test(given)) {
      throw usage(`Cannot ask "${given}": it is no address that begins with http:// or https://`);
    }
    return given.replace(/\/$/, "");
  }
  const { http, http_base_path } = (await config()).config;
  const address = httpAddress(http);
  if (http === HTTP_OFF || address === undefined) {
    throw new DispatcherError("config", "Cannot ask the node: the configuration turns HTTP off");
  }
  // Who listens everywhere is asked here.
  const host = address.host === "0.0.0.0" ? "127.0.0.1" : address.host === "::" ? "::1" : address.host;
  return `http://${addressText({ ...address, host })}${http_base_path.replace(/\/$/, "")}`;
}

async function ask(
  base: string,
  path: string,
  timeout: number = TIMEOUT_SECONDS,
): Promise<{ status: number; body: Record<string, unknown> }> {
  try {
    const answer = await fetch(`${base}${path}`, { signal: AbortSignal.timeout(timeout * 1000) });
    const body = await answer.json();
    if (typeof body?.status !== "string") throw new Error("its answer is not a node's");
    return { status: answer.status, body };
  } catch (error) {
    throw new DispatcherError("unavailable", `No node answers at ${base}${path}: ${errorLine(error)}`, {
      cause: error,
    });
  }
}
