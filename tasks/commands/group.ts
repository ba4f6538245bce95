/**
 * `awx group …`: instance groups.
 *
 * @module
 */
import { type Command, type Context, usage } from "edge-dispatcher/command";
import {
  addMembers,
  deleteGroup,
  INSTANCE_GROUPS,
  type InstanceGroup,
  listGroups,
  removeMembers,
} from "../jobs/model/instance_groups.ts";
import { numberField, yesNoField } from "./fields.ts";
import { type Cells, COMMON, connected, nameOf, tell, writeRows } from "./kit.ts";
import { createCommand, modifyCommand, type Resource } from "./resource.ts";

const CELLS: Cells<InstanceGroup & { members: string[] }> = [
  ["NAME", ({ name }) => name],
  ["MEMBERS", ({ members, all_instances }) => all_instances ? `all: ${members.join(",")}` : members],
  ["JOBS", ({ max_concurrent_jobs }) => max_concurrent_jobs || "any", true],
  ["FORKS", ({ max_forks }) => max_forks || "any", true],
];

const GROUP: Resource<InstanceGroup> = {
  table: INSTANCE_GROUPS,
  cells: [],
  fields: [
    numberField("max-jobs", "max_concurrent_jobs", "N", "Jobs at a time, 0 for any number"),
    numberField("max-forks", "max_forks", "N", "Forks at a time, 0 for any number"),
    yesNoField("all-instances", "all_instances", "Whether every instance is a member"),
  ],
};

export const groupList: Command = {
  summary: "List instance groups and their members",
  usage: "",
  flags: COMMON,
  async run(context) {
    const { db } = await connected(context);
    writeRows(context, CELLS, await listGroups(db));
  },
};

export const groupCreate: Command = createCommand(GROUP);
export const groupModify: Command = modifyCommand(GROUP);

export const groupDelete: Command = {
  summary: "Delete an instance group that no template names",
  usage: "NAME",
  words: true,
  flags: COMMON,
  async run(context) {
    const name = nameOf(context, "delete an instance group");
    const { client } = await connected(context);
    tell(context, await client.transaction((tx) => deleteGroup(tx, name)), `${name} deleted`);
  },
};

export const groupAdd: Command = membership("add", "Add instances to a group", addMembers);
export const groupRemove: Command = membership("remove", "Take instances out of a group", removeMembers);

function membership(verb: string, summary: string, act: typeof addMembers): Command {
  return {
    summary,
    usage: "GROUP INSTANCE…",
    words: true,
    flags: COMMON,
    async run(context: Context) {
      const [group, ...hostnames] = context.rest;
      if (hostnames.length === 0) throw usage(`Cannot ${verb} instances: name a group and instances`);
      const { client } = await connected(context);
      await client.transaction((tx) => act(tx, group, hostnames));
      const did = verb === "add" ? "added to" : "removed from";
      tell(context, { group, [verb]: hostnames }, `${hostnames.join(", ")} ${did} ${group}`);
    },
  };
}
