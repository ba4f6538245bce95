/**
 * `awx setting …`. A change is broadcast, so that every worker drops what it has read.
 *
 * @module
 */
import { type Command, usage } from "edge-dispatcher/command";
import { type ListedSetting, listSettings, resetSetting } from "../jobs/model/settings_list.ts";
import { checkSetting, settings, writeSetting } from "../jobs/model/settings.ts";
import type { Publish } from "../jobs/model/trigger.ts";
import { type Cells, COMMON, connected, nameOf, tell, writeRows } from "./kit.ts";

export const HANDLE_SETTING_CHANGES = "system/handle_setting_changes";

/** Have every node drop what it knows of a setting. */
export async function broadcastSetting(publish: Publish, key: string): Promise<void> {
  await publish(HANDLE_SETTING_CHANGES, [[key]], { queue: "broadcast" });
}

const CELLS: Cells<ListedSetting> = [
  ["KEY", ({ key }) => key],
  ["VALUE", ({ value }) => value],
  ["SET", ({ modified }) => modified === null ? "default" : "set"],
  ["WHAT IT IS", ({ description }) => description],
];

export const settingList: Command = {
  summary: "List settings with their values and what they are for",
  usage: "",
  flags: COMMON,
  async run(context) {
    const { db } = await connected(context);
    writeRows(context, CELLS, await listSettings(db));
  },
};

export const settingGet: Command = {
  summary: "Print the value of a setting",
  usage: "KEY",
  words: true,
  flags: COMMON,
  async run(context) {
    const key = nameOf(context, "print a setting");
    const { db } = await connected(context);
    const all = await settings(db);
    const value = Object.hasOwn(all, key) ? all[key as keyof typeof all] : checkSetting(key, undefined);
    context.io.out(context.flags.json ? JSON.stringify({ key, value }) : `${value}`);
  },
};

export const settingSet: Command = {
  summary: "Set a setting everywhere; within a second all nodes have it",
  usage: "KEY VALUE",
  words: true,
  flags: COMMON,
  async run(context) {
    const [key, word, ...more] = context.rest;
    if (word === undefined || more.length > 0) {
      throw usage("Cannot set a setting: give its key and its value");
    }
    const value = valueOf(word);
    checkSetting(key, value);
    const { client } = await connected(context);
    await client.transaction(async (tx, publish) => {
      await writeSetting(tx, key, value);
      await broadcastSetting(publish, key);
    });
    tell(context, { key, value }, `${key} is ${word}`);
  },
};

export const settingReset: Command = {
  summary: "Set a setting back to its default, everywhere",
  usage: "KEY",
  words: true,
  flags: COMMON,
  async run(context) {
    const key = nameOf(context, "reset a setting");
    const { client } = await connected(context);
    const changed = await client.transaction(async (tx, publish) => {
      const changed = await resetSetting(tx, key);
      await broadcastSetting(publish, key);
      return changed;
    });
    tell(context, { key, changed }, changed ? `${key} is its default again` : `${key} was its default`);
  },
};

/** JSON where it can be read as such, else a text: `60`, `redis`. */
function valueOf(word: string): unknown {
  try {
    return JSON.parse(word);
  } catch {
    return word;
  }
}
