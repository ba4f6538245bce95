/**
 * `awx apply` and `awx export`: a whole site as one file.
 *
 * @module
 */
import { type Command, usage } from "edge-dispatcher/command";
import { checked } from "../jobs/model/table.ts";
import { applySite } from "./document/apply.ts";
import { exportSite } from "./document/export.ts";
import { siteSchema } from "./document/site.ts";
import type { Applied } from "./document/upsert.ts";
import { readDocument } from "./files.ts";
import { type Cells, COMMON, connected, writeRows } from "./kit.ts";

const CELLS: Cells<Applied> = [
  ["KIND", ({ kind }) => kind],
  ["NAME", ({ name }) => name],
  ["DID", ({ did }) => did],
];

export const apply: Command = {
  summary: "Make the site as a file says, all of it or nothing; what it does not name stays",
  usage: "-f FILE [--dry-run]",
  flags: {
    file: { type: "string", value: "FILE", short: "f", help: "The file; - is stdin" },
    "dry-run": { type: "boolean", help: "Say what would be done, and do nothing" },
    ...COMMON,
  },
  async run(context) {
    const { flags, io } = context;
    if (flags.file === undefined) throw usage("Cannot apply without --file");
    const found = await readDocument(io, flags.file as string);
    const site = checked(siteSchema, found ?? {}, `read the site of "${flags.file}"`);
    const { client } = await connected(context);
    let applied: Applied[] = [];
    const undone = new Error("Nothing was to be done");
    try {
      await client.transaction(async (tx, publish) => {
        applied = await applySite(tx, publish, site);
        if (flags["dry-run"]) throw undone;
      });
    } catch (error) {
      if (error !== undone) throw error;
    }
    writeRows(context, CELLS, applied);
    if (flags["dry-run"]) io.err("Nothing was done: it was a dry run");
  },
};

export const exported: Command = {
  summary: "Print the site as a file for awx apply; secrets of credentials and notifications are not in it",
  usage: "",
  flags: COMMON,
  async run(context) {
    const { db } = await connected(context);
    const site = await exportSite(db);
    if (context.flags.json) return context.io.out(JSON.stringify(site));
    const { stringify } = await import("yaml");
    context.io.out(stringify(site).trimEnd());
  },
};
