/**
 * `awx credential …`. Secrets come from files and stdin, never from the words of the command, which every user of the
 * machine can read.
 *
 * @module
 */
import { type Command, type Context, type Flags, usage } from "edge-dispatcher/command";
import {
  createCredential,
  CREDENTIAL_KINDS,
  credentialByName,
  CREDENTIALS,
  listCredentials,
  type ListedCredential,
  updateCredential,
} from "../jobs/model/credentials.ts";
import { byName } from "../jobs/model/table.ts";
import { choiceOf } from "./fields.ts";
import { readDocument, readText } from "./files.ts";
import { type Cells, COMMON, connected, moment, nameOf, tell, writeRows } from "./kit.ts";
import { deleteCommand, writeOne } from "./resource.ts";

const CELLS: Cells<ListedCredential> = [
  ["NAME", ({ name }) => name],
  ["KIND", ({ kind }) => kind],
  ["FIELDS", ({ fields }) => fields ?? "sealed with another key"],
  ["MODIFIED", ({ modified }) => moment(modified)],
];

export const credentialList: Command = {
  summary: "List credentials and which of their fields are set; never what is in them",
  usage: "",
  flags: COMMON,
  async run(context) {
    const { db } = await connected(context);
    writeRows(context, CELLS, await listCredentials(db));
  },
};

export const credentialShow: Command = {
  summary: "Show which fields of a credential are set; never what is in them",
  usage: "NAME",
  words: true,
  flags: COMMON,
  async run(context) {
    const name = nameOf(context, "show a credential");
    const { db } = await connected(context);
    writeOne(context, await credentialByName(db, name));
  },
};

const INPUTS: Flags = {
  from: { type: "string", value: "FILE", help: "All fields, an object in JSON or YAML; - is stdin" },
  field: {
    type: "string",
    value: "NAME=FILE",
    many: true,
    help: "One field, the text of a file, such as password=/run/secrets/x; - is stdin; may be repeated",
  },
  username: { type: "string", value: "U", help: "The field username" },
  "vault-id": { type: "string", value: "ID", help: "The field vault_id" },
};

export const credentialCreate: Command = {
  summary: "Make a credential; secrets from files or stdin",
  usage: `NAME --kind ${CREDENTIAL_KINDS.join("|")} --from FILE | --field NAME=FILE…`,
  words: true,
  flags: {
    kind: { type: "string", value: "K", choices: CREDENTIAL_KINDS, help: CREDENTIAL_KINDS.join(", ") },
    ...INPUTS,
    ...COMMON,
  },
  async run(context) {
    const name = nameOf(context, "create a credential");
    const kind = choiceOf(context.flags.kind, "kind", CREDENTIAL_KINDS);
    if (kind === undefined) {
      throw usage(`Cannot create a credential without --kind: ${CREDENTIAL_KINDS.join(", ")}`);
    }
    const inputs = await inputsOf(context);
    const { client } = await connected(context);
    const made = await client.transaction((tx) => createCredential(tx, { name, kind, inputs }));
    tell(context, made, `${name} created`);
  },
};

export const credentialModify: Command = {
  summary: "Change fields of a credential, and leave the others; an empty file takes one away",
  usage: "NAME --from FILE | --field NAME=FILE…",
  words: true,
  flags: { rename: { type: "string", value: "NAME", help: "Its name from now on" }, ...INPUTS, ...COMMON },
  async run(context) {
    const name = nameOf(context, "change a credential");
    const given = Object.entries(await inputsOf(context)).map((
      [key, value],
    ) => [key, value === "" ? null : value]);
    const { client, db } = await connected(context);
    const { id } = await byName(db, CREDENTIALS, name);
    const patch = { name: context.flags.rename as string, inputs: Object.fromEntries(given) };
    const row = await client.transaction((tx) => updateCredential(tx, id, patch));
    tell(context, row, `${row.name} changed`);
  },
};

export const credentialDelete: Command = deleteCommand({ table: CREDENTIALS, cells: [], fields: [] });

async function inputsOf({ flags, io }: Context): Promise<Record<string, unknown>> {
  const inputs: Record<string, unknown> = {};
  const fields = ((flags.field ?? []) as string[]).map(fieldOf);
  const fromStdin = [flags.from as string, ...fields.map(([, path]) => path)].filter((path) => path === "-");
  if (fromStdin.length > 1) throw usage("Cannot read stdin for more than one of --from and --field");
  if (flags.from !== undefined) Object.assign(inputs, await objectOf(io, flags.from as string));
  for (const [name, path] of fields) {
    const text = await readText(io, path);
    // Editors end a file with a line feed, which is no part of a password; a key needs it.
    inputs[name] = name === "ssh_key" ? text : text.replace(/\r?\n$/, "");
  }
  if (flags.username !== undefined) inputs.username = flags.username;
  if (flags["vault-id"] !== undefined) inputs.vault_id = flags["vault-id"];
  return inputs;
}

async function objectOf(io: Context["io"], path: string): Promise<Record<string, unknown>> {
  const found = await readDocument(io, path);
  if (typeof found === "object" && found !== null && !Array.isArray(found)) {
    return found as Record<string, unknown>;
  }
  throw usage(`Cannot read fields from "${path}": it holds no object`);
}

function fieldOf(word: string): [name: string, path: string] {
  const at = word.indexOf("=");
  if (at > 0 && at < word.length - 1) return [word.slice(0, at), word.slice(at + 1)];
  // What stands there instead may be the secret itself.
  throw usage("Flag --field takes NAME=FILE, a file that holds the field");
}
