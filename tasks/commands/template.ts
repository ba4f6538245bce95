/**
 * `awx template …`: job templates.
 *
 * @module
 */
import { type Command, type Context, usage } from "edge-dispatcher/command";
import { CREDENTIALS } from "../jobs/model/credentials.ts";
import { deleteJobTemplate } from "../jobs/model/deletion.ts";
import { INSTANCE_GROUPS } from "../jobs/model/instance_groups.ts";
import { INVENTORIES } from "../jobs/model/inventories.ts";
import { PROJECTS } from "../jobs/model/projects.ts";
import type { Db } from "../jobs/model/rows.ts";
import { JOB_TEMPLATES, type JobTemplate } from "../jobs/model/templates.ts";
import {
  jsonField,
  numberField,
  referenceField,
  referencesField,
  textField,
  varsField,
  yesNoField,
} from "./fields.ts";
import {
  createCommand,
  deleteCommand,
  listCommand,
  modifyCommand,
  namesOf,
  type Resource,
  showCommand,
} from "./resource.ts";

/** A template with the names of what it points at. */
interface Shown extends JobTemplate {
  project: string | null;
  inventory: string | null;
  credentials: string[];
  instance_groups: string[];
}

const TEMPLATE: Resource<JobTemplate, Shown> = {
  table: JOB_TEMPLATES,
  cells: [
    ["NAME", ({ name }) => name],
    ["KIND", ({ kind }) => kind],
    ["PROJECT", ({ project }) => project],
    ["RUNS", ({ kind, playbook, command }) => kind === "playbook" ? playbook : command.join(" ")],
    ["INVENTORY", ({ inventory }) => inventory],
    ["FORKS", ({ forks }) => forks || "-", true],
  ],
  fields: [
    referenceField("project", "project_id", PROJECTS, "Where its playbook is"),
    textField("playbook", "playbook", "PATH", "Playbook in the project"),
    referenceField("inventory", "inventory_id", INVENTORIES, "Hosts that it runs on"),
    referencesField("credentials", "credential_ids", CREDENTIALS, "What it logs in with"),
    referencesField(
      "instance-groups",
      "instance_group_ids",
      INSTANCE_GROUPS,
      "Where it may run, the first first",
    ),
    numberField("forks", "forks", "N", "Hosts at a time, 0 for Ansible's own default of 5"),
    textField("limit", "host_limit", "HOSTS", "These hosts only, an Ansible pattern"),
    textField("tags", "job_tags", "TAGS", "These tags only"),
    textField("skip-tags", "skip_tags", "TAGS", "Without these tags"),
    numberField("verbosity", "verbosity", "N", "0 to 5"),
    varsField(),
    numberField("timeout", "timeout", "S", "Seconds that a run may take, 0 for any"),
    yesNoField("allow-simultaneous", "allow_simultaneous", "Whether several of it may run at a time"),
    numberField("priority", "priority", "N", "Smaller runs earlier"),
    yesNoField("preemptible", "preemptible", "Whether a job of higher priority may stop it, to run it later"),
    jsonField("resources", "resources", 'What it needs of a node: {"cpu": 2, "memoryMb": 512, "gpu": 1}'),
  ],
  async view(db, rows) {
    const [projects, inventories, credentials, groups] = await Promise.all([
      namesOf(db, PROJECTS),
      namesOf(db, INVENTORIES),
      namesOf(db, CREDENTIALS),
      namesOf(db, INSTANCE_GROUPS),
    ]);
    return rows.map((row) => ({
      ...row,
      project: projects.get(row.project_id) ?? null,
      inventory: inventories.get(row.inventory_id) ?? null,
      credentials: row.credential_ids.map((id) => credentials.get(id) ?? `${id}`),
      instance_groups: row.instance_group_ids.map((id) => groups.get(id) ?? `${id}`),
    }));
  },
  remove: (db: Db, _publish, id) => deleteJobTemplate(db, id),
};

export const templateList: Command = listCommand(TEMPLATE, "List job templates");
export const templateShow: Command = showCommand(TEMPLATE);
export const templateDelete: Command = deleteCommand(TEMPLATE);

const WORDS = "NAME [--project P --playbook FILE | -- PROGRAM ARGS…]";

/** The name; words behind it are the command that it runs, without a shell. */
export const templateCreate: Command = createCommand(TEMPLATE, {
  usage: WORDS,
  values({ rest: [name, ...command], flags }: Context, what: string) {
    if (name === undefined) throw usage(`Cannot ${what}: name one`);
    refuseBoth(name, command, flags);
    return command.length > 0 ? { name, kind: "command", command } : { name, kind: "playbook" };
  },
});

export const templateModify: Command = modifyCommand(TEMPLATE, {
  usage: WORDS,
  values({ rest: [name, ...command], flags }: Context): Record<string, unknown> {
    refuseBoth(name, command, flags);
    if (flags.playbook !== undefined) return { kind: "playbook" };
    return command.length > 0 ? { kind: "command", command } : {};
  },
  nameIn: ({ rest }) => rest.slice(0, 1),
});

function refuseBoth(name: string, command: readonly string[], flags: Context["flags"]): void {
  if (command.length === 0 || flags.playbook === undefined) return;
  throw usage(`Cannot make "${name}" a playbook and the command "${command.join(" ")}" at once`);
}
