/**
 * `awx job …`: launch, cancel, relaunch.
 *
 * @module
 */
import { type Command, EXIT, type Flags, usage } from "edge-dispatcher/command";
import { cancelJob } from "../jobs/model/endings.ts";
import { INVENTORIES } from "../jobs/model/inventories.ts";
import { failedHosts } from "../jobs/model/job_events.ts";
import { launch, type LaunchOptions, relaunch, type TemplateRef } from "../jobs/model/launch.ts";
import { templateByName } from "../jobs/model/names.ts";
import type { Db } from "../jobs/model/rows.ts";
import { byName } from "../jobs/model/table.ts";
import { trigger } from "../jobs/model/trigger.ts";
import { jobById, TEMPLATE_KINDS, type TemplateKind, type UnifiedJob } from "../jobs/model/unified_job.ts";
import type { Client } from "edge-dispatcher";
import { DispatcherError } from "edge-dispatcher";
import { choiceOf } from "./fields.ts";
import { COMMON, connected, jobIdOf, nameOf } from "./kit.ts";
import { VARS_FLAG, varsOf } from "./vars.ts";
import { LAUNCH_FLAGS, launched, withinOf } from "./waiting.ts";

/** Which templates `launch` means. */
export const KIND_FLAG: Flags = {
  kind: {
    type: "string",
    value: "K",
    choices: TEMPLATE_KINDS,
    help: `What kind of template it is, by default job_template: ${TEMPLATE_KINDS.join(", ")}`,
  },
};

const OVERRIDES: Flags = {
  ...VARS_FLAG,
  limit: { type: "string", value: "HOSTS", help: "These hosts only, an Ansible pattern" },
  tags: { type: "string", value: "TAGS", help: "These tags only" },
  inventory: { type: "string", value: "NAME", help: "This inventory instead of the template's" },
  priority: { type: "number", value: "N", help: "Smaller runs earlier, instead of the template's" },
};

export const jobLaunch: Command = {
  summary: "Launch a template; prints the job's number",
  usage: "TEMPLATE [--wait]",
  words: true,
  flags: { ...KIND_FLAG, ...OVERRIDES, ...LAUNCH_FLAGS },
  async run(context) {
    const { flags, io } = context;
    const name = nameOf(context, "launch a template");
    const kind = choiceOf(flags.kind, "kind", TEMPLATE_KINDS) ?? "job_template";
    refuseOverrides(kind, flags);
    withinOf(context);
    const extraVars = await varsOf(io, flags["extra-vars"]);
    const { client, db } = await connected(context);
    const template = await templateByName(db, kind, name);
    const options: LaunchOptions = {
      extraVars,
      hostLimit: flags.limit as string,
      jobTags: flags.tags as string,
      inventoryId: flags.inventory === undefined
        ? undefined
        : (await byName(db, INVENTORIES, flags.inventory as string)).id,
      priority: flags.priority as number,
    };
    return await launched(context, db, await launchNow(client, template, options));
  },
};

/** What a template of another kind has no use for must not be ignored. */
function refuseOverrides(kind: TemplateKind, flags: Record<string, unknown>): void {
  if (kind === "job_template") return;
  const odd = ["limit", "tags", "inventory"].find((flag) => flags[flag] !== undefined);
  if (odd) throw usage(`Flag --${odd} is for job templates: given with --kind ${kind}`);
}

/** Launch a template, and tell the managers, in one transaction. */
export async function launchNow(
  client: Client,
  template: TemplateRef,
  options: LaunchOptions = {},
): Promise<UnifiedJob> {
  return await client.transaction(async (tx, publish) => {
    const job = await launch(tx, template, options);
    await trigger(publish);
    return job;
  });
}

export const jobRelaunch: Command = {
  summary: "Launch again what has ended, as it was launched then; prints the new job's number",
  usage: "ID [--failed-hosts] [--wait]",
  words: true,
  flags: {
    "failed-hosts": { type: "boolean", help: "Only on hosts on which it failed, or that it did not reach" },
    ...LAUNCH_FLAGS,
  },
  async run(context) {
    const id = jobIdOf(nameOf(context, "relaunch a job"));
    withinOf(context);
    const { client, db } = await connected(context);
    const hostLimit = context.flags["failed-hosts"] ? await failedLimit(db, id) : undefined;
    const job = await client.transaction(async (tx, publish) => {
      const job = await relaunch(tx, id, { hostLimit });
      await trigger(publish);
      return job;
    });
    return await launched(context, db, job);
  },
};

async function failedLimit(db: Db, id: number): Promise<string> {
  await jobById(db, id);
  const hosts = await failedHosts(db, id);
  if (hosts.length > 0) return hosts.join(",");
  throw new DispatcherError("refused", `Cannot relaunch job ${id} on failed hosts: it has none`);
}

export const jobCancel: Command = {
  summary: "Cancel jobs: one that runs is stopped with all its processes",
  usage: "ID…",
  words: true,
  flags: COMMON,
  async run(context) {
    const { rest, io, flags } = context;
    if (rest.length === 0) throw usage("Cannot cancel: name a job");
    const ids = rest.map(jobIdOf);
    const { client } = await connected(context);
    let changed = 0;
    for (const id of ids) {
      const { did, job } = await client.transaction((tx, publish) => cancelJob(tx, publish, id));
      // After the commit: whoever runs it then sees that it was asked for.
      if (did === "canceling" && job.task_uuid !== null) await client.cancel([job.task_uuid]);
      if (did !== "final") changed++;
      const said = did === "final" ? `already ${job.status}` : did;
      io.out(flags.json ? JSON.stringify({ id, did, status: job.status }) : `${id} ${said}`);
    }
    return changed > 0 ? EXIT.ok : EXIT.refused;
  },
};
