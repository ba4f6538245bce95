/**
 * `awx instance …`: nodes as the control plane sees them.
 *
 * @module
 */
import { type Command, usage } from "edge-dispatcher/command";
import {
  changeInstance,
  deleteInstance,
  instanceByName,
  listInstances,
  type ShownInstance,
} from "../jobs/model/instances.ts";
import { type Cells, COMMON, connected, moment, nameOf, tell, writePairs, writeRows } from "./kit.ts";

const CELLS: Cells<ShownInstance> = [
  ["NAME", ({ hostname }) => hostname],
  ["STATE", stateOf],
  ["CAPACITY", ({ capacity }) => capacity, true],
  ["USED", ({ consumed }) => consumed, true],
  ["JOBS", ({ jobs }) => jobs, true],
  ["GROUPS", ({ groups }) => groups],
  ["SEEN", ({ last_seen }) => moment(last_seen)],
];

function stateOf({ enabled, capacity, errors }: ShownInstance): string {
  if (!enabled) return "disabled";
  if (errors !== "") return "faulty";
  return capacity > 0 ? "ready" : "unavailable";
}

export const instanceList: Command = {
  summary: "List instances: capacity, what is used of it, and their groups",
  usage: "",
  flags: COMMON,
  async run(context) {
    const { db } = await connected(context);
    writeRows(context, CELLS, await listInstances(db));
  },
};

export const instanceShow: Command = {
  summary: "Show all that is known of an instance",
  usage: "NAME",
  words: true,
  flags: COMMON,
  async run(context) {
    const name = nameOf(context, "show an instance");
    const { db } = await connected(context);
    const instance = await instanceByName(db, name);
    if (context.flags.json) return context.io.out(JSON.stringify(instance));
    const { hostname, ...rest } = instance;
    context.io.out(`${hostname} ${stateOf(instance)}`);
    writePairs(context.io, Object.entries(rest));
  },
};

export const instanceEnable: Command = switching("enable", true, "Let jobs be started on an instance again");
export const instanceDisable: Command = switching(
  "disable",
  false,
  "Start no more jobs on an instance; those there go on",
);

function switching(verb: string, enabled: boolean, summary: string): Command {
  return {
    summary,
    usage: "NAME",
    words: true,
    flags: COMMON,
    async run(context) {
      const name = nameOf(context, `${verb} an instance`);
      const { db } = await connected(context);
      const instance = await changeInstance(db, name, { enabled });
      tell(context, instance, `${name} ${verb}d, capacity ${instance.capacity}`);
    },
  };
}

export const instanceAdjust: Command = {
  summary:
    "Set how much an instance takes, between what cores (or memory, if less) and the larger of both allow: 0 to 1",
  usage: "NAME ADJUSTMENT",
  words: true,
  flags: COMMON,
  async run(context) {
    const [name, word, ...more] = context.rest;
    if (word === undefined || more.length > 0) {
      throw usage("Cannot adjust an instance: give its name and 0 to 1");
    }
    const capacity_adjustment = word.trim() === "" ? NaN : Number(word);
    if (Number.isNaN(capacity_adjustment)) throw usage(`Cannot adjust ${name} to "${word}": it is no number`);
    const { db } = await connected(context);
    const instance = await changeInstance(db, name, { capacity_adjustment });
    tell(context, instance, `${name} adjusted, capacity ${instance.capacity}`);
  },
};

export const instanceDelete: Command = {
  summary: "Forget an instance that is gone",
  usage: "NAME",
  words: true,
  flags: COMMON,
  async run(context) {
    const name = nameOf(context, "delete an instance");
    const { db } = await connected(context);
    tell(context, await deleteInstance(db, name), `${name} deleted`);
  },
};
