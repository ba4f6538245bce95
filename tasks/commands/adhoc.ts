/**
 * `awx adhoc run`: one module of Ansible's on the hosts of an inventory, without a template.
 *
 * @module
 */
import { type Command, usage } from "edge-dispatcher/command";
import { CREDENTIALS } from "../jobs/model/credentials.ts";
import { INVENTORIES } from "../jobs/model/inventories.ts";
import { launchAdHoc } from "../jobs/model/launch.ts";
import { byName } from "../jobs/model/table.ts";
import { trigger } from "../jobs/model/trigger.ts";
import { referencesField, wordsOf } from "./fields.ts";
import { connected } from "./kit.ts";
import { VARS_FLAG, varsOf } from "./vars.ts";
import { LAUNCH_FLAGS, launched, withinOf } from "./waiting.ts";

const CREDENTIAL = referencesField("credentials", "credential_ids", CREDENTIALS, "What it logs in with");

export const adhocRun: Command = {
  summary: "Run a module of Ansible's on the hosts of an inventory; prints the job's number",
  usage: "INVENTORY MODULE [ARGS] [--limit HOSTS] [--wait]",
  words: true,
  flags: {
    limit: { type: "string", value: "HOSTS", help: "These hosts only, an Ansible pattern" },
    forks: { type: "number", value: "N", help: "Hosts at a time" },
    verbosity: { type: "number", value: "N", help: "0 to 5" },
    ...CREDENTIAL.flags,
    ...VARS_FLAG,
    ...LAUNCH_FLAGS,
  },
  async run(context) {
    const { rest: [inventory, module, args, ...more], flags, io } = context;
    if (module === undefined) throw usage("Cannot run a module: name an inventory and a module");
    if (more.length > 0) throw usage(`Cannot run ${module}: its arguments are one word, in quotes`);
    if (!/^\w+(\.\w+)*$/.test(module)) {
      throw usage(`Cannot run ${JSON.stringify(module)}: it is no name of a module`);
    }
    whole(flags.forks, "forks", 10_000);
    whole(flags.verbosity, "verbosity", 5);
    withinOf(context);
    const extraVars = await varsOf(io, flags["extra-vars"]);
    const { client, db } = await connected(context);
    const { id } = await byName(db, INVENTORIES, inventory);
    const command = {
      inventoryId: id,
      module,
      args,
      hostLimit: flags.limit as string,
      forks: flags.forks as number,
      verbosity: flags.verbosity as number,
      credentialIds: wordsOf(flags.credentials) && await CREDENTIAL.read(context, db) as number[],
    };
    const job = await client.transaction(async (tx, publish) => {
      const job = await launchAdHoc(tx, command, { extraVars });
      await trigger(publish);
      return job;
    });
    return await launched(context, db, job);
  },
};

function whole(given: unknown, flag: string, most: number): void {
  if (given === undefined || (Number.isInteger(given) && given as number >= 0 && given as number <= most)) {
    return;
  }
  throw usage(`Flag --${flag} needs a whole number from 0 to ${most}: given "${given}"`);
}
