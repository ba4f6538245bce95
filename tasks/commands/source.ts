/**
 * `awx source …`: what inventories are filled from. A source is named with its inventory, `INVENTORY/SOURCE`.
 *
 * @module
 */
import { type Command, type Context, type Flags, usage } from "edge-dispatcher/command";
import { CREDENTIALS } from "../jobs/model/credentials.ts";
import { deleteSource } from "../jobs/model/deletion.ts";
import {
  INVENTORIES,
  INVENTORY_SOURCES,
  type InventorySource,
  inventorySourceSchema,
} from "../jobs/model/inventories.ts";
import { sourceByName } from "../jobs/model/names.ts";
import { PROJECTS } from "../jobs/model/projects.ts";
import { type Db, rows } from "../jobs/model/rows.ts";
import { byName, create, update } from "../jobs/model/table.ts";
import {
  choiceOf,
  type Field,
  flagsOf,
  numberField,
  referenceField,
  textField,
  valuesOf,
  varsField,
  yesNoField,
} from "./fields.ts";
import { readText } from "./files.ts";
import { launchNow } from "./job.ts";
import { type Cells, COMMON, connected, nameOf, tell, writeRows } from "./kit.ts";
import { harmless, namesOf, writeOne } from "./resource.ts";
import { LAUNCH_FLAGS, launched, withinOf } from "./waiting.ts";

const KINDS = inventorySourceSchema.shape.kind.options;
const CONTENT: Flags = {
  "content-file": {
    type: "string",
    value: "FILE",
    help: "Its content: of a static source, or a script; - is stdin",
  },
};
const FIELDS: readonly Field[] = [
  { flags: CONTENT, column: "content", read: contentOf },
  textField("path", "path", "PATH", "File of the nodes, or in the project"),
  referenceField("project", "project_id", PROJECTS, "Project that the path is in"),
  varsField("source_vars"),
  yesNoField("overwrite", "overwrite", "Whether hosts and groups go that the source no longer has"),
  yesNoField("update-on-launch", "update_on_launch", "Whether it is updated before a job uses the inventory"),
  numberField("cache-timeout", "update_cache_timeout", "S", "Seconds for which an update before a job holds"),
  numberField("timeout", "timeout", "S", "Seconds that an update may take, 0 for any"),
  referenceField("credential", "credential_id", CREDENTIALS, "What a script gets in its environment"),
];

async function contentOf({ flags, io }: Context): Promise<string | undefined> {
  const path = flags["content-file"] as string | undefined;
  return path === undefined ? undefined : await readText(io, path);
}

type Shown = InventorySource & { inventory: string };
const CELLS: Cells<Shown> = [
  ["INVENTORY", ({ inventory }) => inventory],
  ["NAME", ({ name }) => name],
  ["KIND", ({ kind }) => kind],
  [
    "FROM",
    ({ kind, path, content }) =>
      kind === "file" || kind === "project" ? path : `${content.length} characters`,
  ],
  ["ON LAUNCH", ({ update_on_launch }) => update_on_launch ? "updates" : "-"],
];

export const sourceList: Command = {
  summary: "List sources of inventories",
  usage: "",
  flags: COMMON,
  async run(context) {
    const { db } = await connected(context);
    const all = await rows(
      db,
      inventorySourceSchema,
      "select * from awx.inventory_source order by inventory_id, name",
    );
    const names = await namesOf(db, INVENTORIES);
    writeRows(
      context,
      CELLS,
      all.map((row) => harmless({ ...row, inventory: names.get(row.inventory_id) ?? "" })),
    );
  },
};

export const sourceShow: Command = {
  summary: "Show a source of an inventory",
  usage: "INVENTORY/SOURCE",
  words: true,
  flags: COMMON,
  async run(context) {
    const name = nameOf(context, "show a source");
    const { db } = await connected(context);
    writeOne(context, harmless(await sourceByName(db, name)));
  },
};

export const sourceCreate: Command = {
  summary: "Make a source of an inventory",
  usage: "INVENTORY/SOURCE --kind K",
  words: true,
  flags: {
    kind: { type: "string", value: "K", choices: KINDS, help: KINDS.join(", ") },
    ...flagsOf(FIELDS),
    ...COMMON,
  },
  async run(context) {
    const [inventory, name] = placeOf(nameOf(context, "create a source"));
    const kind = choiceOf(context.flags.kind, "kind", KINDS);
    if (kind === undefined) throw usage(`Cannot create a source without --kind: ${KINDS.join(", ")}`);
    const { db } = await connected(context);
    const { id: inventory_id } = await byName(db, INVENTORIES, inventory);
    const input = { inventory_id, name, kind, ...await valuesOf(FIELDS, context, db) };
    tell(context, harmless(await create(db, INVENTORY_SOURCES, input)), `${inventory}/${name} created`);
  },
};

export const sourceModify: Command = {
  summary: "Change a source: what is given, nothing else",
  usage: "INVENTORY/SOURCE",
  words: true,
  flags: { ...flagsOf(FIELDS), ...COMMON },
  async run(context) {
    const name = nameOf(context, "change a source");
    const { db } = await connected(context);
    const { id } = await sourceByName(db, name);
    const row = await update(db, INVENTORY_SOURCES, id, await valuesOf(FIELDS, context, db));
    tell(context, harmless(row), `${name} changed`);
  },
};

export const sourceUpdate: Command = {
  summary: "Launch an update of an inventory from a source; prints the job's number",
  usage: "INVENTORY/SOURCE [--wait]",
  words: true,
  flags: LAUNCH_FLAGS,
  async run(context) {
    const name = nameOf(context, "update from a source");
    withinOf(context);
    const { client, db } = await connected(context);
    const { id } = await sourceByName(db, name);
    return await launched(context, db, await launchNow(client, { kind: "inventory_source", id }));
  },
};

export const sourceDelete: Command = {
  summary: "Delete a source; the hosts that it brought stay",
  usage: "INVENTORY/SOURCE",
  words: true,
  flags: COMMON,
  async run(context) {
    const name = nameOf(context, "delete a source");
    const { client, db } = await connected(context);
    const { id } = await sourceByName(db, name);
    const row = await client.transaction((tx: Db) => deleteSource(tx, id));
    tell(context, harmless(row), `${name} deleted`);
  },
};

function placeOf(word: string): [inventory: string, source: string] {
  const at = word.indexOf("/");
  if (at > 0 && at < word.length - 1) return [word.slice(0, at), word.slice(at + 1)];
  throw usage(`Cannot create source ${JSON.stringify(word)}: name it INVENTORY/SOURCE`);
}
