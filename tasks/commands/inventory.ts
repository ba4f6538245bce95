/**
 * `awx inventory …` and `awx host …`.
 *
 * @module
 */
import { basename } from "node:path";
import { type Command, EXIT, type Flags, usage } from "edge-dispatcher/command";
import { DispatcherError } from "edge-dispatcher";
import { deleteInventory } from "../jobs/model/deletion.ts";
import { listHostGroups } from "../jobs/model/host_groups.ts";
import { type ListedHost, listHosts } from "../jobs/model/hosts.ts";
import { hostCount, INVENTORIES, type Inventory, INVENTORY_SOURCES } from "../jobs/model/inventories.ts";
import { listSources } from "../jobs/model/names.ts";
import { byName, create, update } from "../jobs/model/table.ts";
import { varsField, yesNoField } from "./fields.ts";
import { readText } from "./files.ts";
import { launchNow } from "./job.ts";
import { type Cells, COMMON, connected, nameOf, writeRows } from "./kit.ts";
import {
  createCommand,
  deleteCommand,
  harmless,
  listCommand,
  modifyCommand,
  type Resource,
  writeOne,
} from "./resource.ts";
import { LAUNCH_FLAGS, launched, withinOf } from "./waiting.ts";

interface Shown extends Inventory {
  hosts: number;
}

const INVENTORY: Resource<Inventory, Shown> = {
  table: INVENTORIES,
  cells: [
    ["NAME", ({ name }) => name],
    ["HOSTS", ({ hosts }) => hosts, true],
    ["STATE", ({ pending_deletion }) => pending_deletion ? "is being deleted" : "-"],
  ],
  fields: [varsField("variables")],
  async view(db, rows) {
    return await Promise.all(rows.map(async (row) => ({ ...row, hosts: await hostCount(db, row.id) })));
  },
  remove: deleteInventory,
};

export const inventoryList: Command = listCommand(
  INVENTORY,
  "List inventories and how many hosts are in them",
);
export const inventoryCreate: Command = createCommand(INVENTORY);
export const inventoryModify: Command = modifyCommand(INVENTORY);
export const inventoryDelete: Command = deleteCommand(INVENTORY);

export const inventoryShow: Command = {
  summary: "Show an inventory: its variables, groups and sources",
  usage: "NAME",
  words: true,
  flags: COMMON,
  async run(context) {
    const name = nameOf(context, "show an inventory");
    const { db } = await connected(context);
    const inventory = await byName(db, INVENTORIES, name);
    const groups = await listHostGroups(db, inventory.id);
    const sources = await listSources(db, inventory.id);
    writeOne(context, {
      ...harmless(inventory),
      hosts: await hostCount(db, inventory.id),
      groups: groups.map(({ name }) => name),
      sources: sources.map(({ name }) => name),
    } as Inventory);
  },
};

const HOSTS: Cells<ListedHost> = [
  ["NAME", ({ name }) => name],
  ["ENABLED", ({ enabled }) => enabled],
  ["GROUPS", ({ groups }) => groups],
  ["VARIABLES", ({ variables }) => Object.keys(variables).length === 0 ? "-" : variables],
];
const PAGE = 1_000;

export const inventoryHosts: Command = {
  summary: "List the hosts of an inventory with their groups",
  usage: "NAME [--group G]",
  words: true,
  flags: { group: { type: "string", value: "G", help: "Only those of this group" }, ...COMMON },
  async run(context) {
    const name = nameOf(context, "list the hosts of an inventory");
    const { db } = await connected(context);
    const { id } = await byName(db, INVENTORIES, name);
    const group = context.flags.group as string | undefined;
    const all: ListedHost[] = [];
    for (let after: string | undefined;; after = all.at(-1)?.name) {
      const page = await listHosts(db, id, { group, after, limit: PAGE });
      all.push(...page);
      if (page.length < PAGE) break;
    }
    writeRows(context, HOSTS, all.map(harmless));
  },
};

const OVERWRITE = yesNoField(
  "overwrite",
  "overwrite",
  "Whether hosts and groups go that the source no longer has",
);
const IMPORT_FLAGS: Flags = {
  name: { type: "string", value: "NAME", help: "What the source is called, by default like the file" },
  script: { type: "boolean", help: "The file is a script that prints an inventory" },
  ...OVERWRITE.flags,
  ...LAUNCH_FLAGS,
};

export const inventoryImport: Command = {
  summary:
    "Update an inventory from its sources, or from a file, which becomes one; prints the jobs' numbers",
  usage: "NAME [FILE] [--overwrite yes] [--wait]",
  words: true,
  flags: IMPORT_FLAGS,
  async run(context) {
    const { rest: [name, file, ...more], flags, io } = context;
    if (name === undefined || more.length > 0) {
      throw usage("Cannot import: name an inventory, and a file at most");
    }
    const odd = ["name", "script", "overwrite"].find((flag) => flags[flag] !== undefined);
    if (file === undefined && odd) throw usage(`Flag --${odd} is for a file: none is given`);
    if (file === "-" && flags.name === undefined) throw usage("Cannot import from stdin without --name");
    withinOf(context);
    const { client, db } = await connected(context);
    const { id: inventory_id } = await byName(db, INVENTORIES, name);
    const known = await listSources(db, inventory_id);
    let ids = known.map(({ id }) => id);
    if (file !== undefined) {
      const source = {
        inventory_id,
        name: (flags.name as string | undefined) ?? basename(file),
        kind: flags.script ? "script" : "static",
        content: await readText(io, file),
        overwrite: await OVERWRITE.read(context, db) ?? false,
      };
      const old = known.find((one) => one.name === source.name);
      const row = await client.transaction((tx) =>
        old ? update(tx, INVENTORY_SOURCES, old.id, source) : create(tx, INVENTORY_SOURCES, source)
      );
      ids = [row.id];
    }
    if (ids.length === 0) {
      throw new DispatcherError(
        "refused",
        `Cannot import inventory "${name}": it has no source, and no file is given`,
      );
    }
    let code: number = EXIT.ok;
    for (const id of ids) {
      const job = await launchNow(client, { kind: "inventory_source", id });
      const ended = await launched(context, db, job);
      if (ended !== EXIT.ok) code = ended;
      if (ended === EXIT.forced) break;
    }
    return code;
  },
};
