/**
 * `awx host …`: hosts that an operator writes down; sources write the others.
 *
 * @module
 */
import { type Command, usage } from "edge-dispatcher/command";
import { addHost, HOST_GROUPS, hostGroupByName } from "../jobs/model/host_groups.ts";
import { type Host, HOSTS, hostSchema } from "../jobs/model/hosts.ts";
import { INVENTORIES } from "../jobs/model/inventories.ts";
import { type Db, notFound, row } from "../jobs/model/rows.ts";
import { byName, create, remove, update } from "../jobs/model/table.ts";
import { varsField, wordsOf } from "./fields.ts";
import { COMMON, connected, tell } from "./kit.ts";
import { harmless } from "./resource.ts";

const VARIABLES = varsField("variables");

export const hostCreate: Command = {
  summary: "Make a host, in groups that are made with it",
  usage: "INVENTORY NAME [--groups G,…]",
  words: true,
  flags: {
    groups: { type: "string", value: "G,…", help: "Groups that it is in" },
    ...VARIABLES.flags,
    ...COMMON,
  },
  async run(context) {
    const [inventory, name] = twoOf(context.rest, "make");
    const { client, db } = await connected(context);
    const { id: inventory_id } = await byName(db, INVENTORIES, inventory);
    const variables = await VARIABLES.read(context, db) ?? {};
    const host = await client.transaction(async (tx) => {
      const host = await create(tx, HOSTS, { inventory_id, name, variables });
      for (const group of wordsOf(context.flags.groups) ?? []) {
        await addHost(tx, await groupOf(tx, inventory_id, group), host.id);
      }
      return host;
    });
    tell(context, harmless(host), `${name} created`);
  },
};

async function groupOf(db: Db, inventory_id: number, name: string): Promise<number> {
  try {
    return (await hostGroupByName(db, inventory_id, name)).id;
  } catch (error) {
    if ((error as { code?: string }).code !== "not_found") throw error;
    return (await create(db, HOST_GROUPS, { inventory_id, name })).id;
  }
}

export const hostModify: Command = {
  summary: "Change the variables of a host",
  usage: "INVENTORY NAME -e V",
  words: true,
  flags: { ...VARIABLES.flags, ...COMMON },
  async run(context) {
    const [inventory, name] = twoOf(context.rest, "change");
    const { db } = await connected(context);
    const { id } = await hostByName(db, inventory, name);
    const variables = await VARIABLES.read(context, db);
    const host = await update(db, HOSTS, id, variables === undefined ? {} : { variables });
    tell(context, harmless(host), `${name} changed`);
  },
};

export const hostEnable: Command = switching("enable", true, "Let runs reach a host again");
export const hostDisable: Command = switching("disable", false, "Keep runs from a host");

function switching(verb: string, enabled: boolean, summary: string): Command {
  return {
    summary,
    usage: "INVENTORY NAME",
    words: true,
    flags: COMMON,
    async run(context) {
      const [inventory, name] = twoOf(context.rest, verb);
      const { db } = await connected(context);
      const { id } = await hostByName(db, inventory, name);
      tell(context, harmless(await update(db, HOSTS, id, { enabled })), `${name} ${verb}d`);
    },
  };
}

export const hostDelete: Command = {
  summary: "Delete a host",
  usage: "INVENTORY NAME",
  words: true,
  flags: COMMON,
  async run(context) {
    const [inventory, name] = twoOf(context.rest, "delete");
    const { db } = await connected(context);
    const host = await remove(db, HOSTS, (await hostByName(db, inventory, name)).id);
    tell(context, harmless(host), `${name} deleted`);
  },
};

async function hostByName(db: Db, inventory: string, name: string): Promise<Host> {
  const { id } = await byName(db, INVENTORIES, inventory);
  const text = "select * from awx.host where inventory_id = $1::bigint and name = $2::text";
  const found = await row(db, hostSchema, text, [id, name]);
  if (!found) throw notFound(`host of inventory "${inventory}":`, name);
  return found;
}

function twoOf(rest: readonly string[], verb: string): [inventory: string, name: string] {
  if (rest.length === 2) return [rest[0], rest[1]];
  throw usage(`Cannot ${verb} a host: name its inventory and its name`);
}
