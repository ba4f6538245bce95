import { configJsonSchema, environmentName } from "../../runtime/config.ts";
import type { Credential } from "../../runtime/http_access.ts";
import { redact } from "../../runtime/redact.ts";
import { type Command, type Context, DATABASE_FLAGS, JSON_FLAG } from "../command.ts";
import { writeTable } from "../table.ts";

type Tree = { [key: string]: unknown };

/** Every value and where it comes from. */
export const configShow: Command = {
  summary: "Show the configuration and where each value comes from",
  usage: "",
  flags: { ...JSON_FLAG, ...DATABASE_FLAGS },
  async run(context) {
    const { config, origins, file } = await context.config();
    const values = Object.keys(origins).sort().map((path) => ({
      key: path,
      value: path === "encryption_keys"
        ? config.encryption_keys.map(({ id }) => id)
        : path === "http_auth"
        ? config.http_auth.map(nameOf)
        : redact(valueAt(config, path)),
      origin: origins[path],
      from: origins[path] === "environment" ? environmentName(path) : origins[path] === "file" ? file : null,
    }));
    if (context.flags.json) {
      for (const value of values) context.io.out(JSON.stringify(value));
      return;
    }
    const columns = [{ title: "KEY" }, { title: "VALUE" }, { title: "ORIGIN" }];
    const rows = values.map((
      v,
    ) => [v.key, JSON.stringify(v.value) ?? "-", v.from === null ? v.origin : `${v.origin} ${v.from}`]);
    writeTable(context.io, columns, rows);
  },
};

/** Check a configuration without starting anything. */
export const configCheck: Command = {
  summary: "Check the configuration",
  usage: "[--config FILE]",
  flags: DATABASE_FLAGS,
  async run(context: Context) {
    const { file, warnings } = await context.config();
    for (const warning of warnings) context.io.err(warning);
    context.io.out(file === null ? "ok" : `ok ${file}`);
  },
};

/** The JSON schema of a configuration file. */
export const configSchemaCommand: Command = {
  summary: "Print the JSON schema of a configuration file",
  usage: "",
  flags: {},
  run({ io }) {
    io.out(JSON.stringify(configJsonSchema(), null, 2));
    return Promise.resolve();
  },
};

/** Who comes in, without the secret. */
function nameOf(credential: Credential): string {
  const { kind, role } = credential;
  const who = kind === "basic" ? credential.user : kind === "bearer" ? credential.name : credential.header;
  return `${kind}:${role}:${who}`;
}

function valueAt(tree: object, path: string): unknown {
  return path.split(".").reduce<unknown>((at, key) => (at as Tree)[key], tree);
}
