/**
 * An inventory update: a source is listed by ansible-inventory, and its hosts, groups and variables are imported with
 * the verdict of the job, or not at all.
 *
 * @module
 */
import { readFile } from "node:fs/promises";
import { resolve, sep } from "node:path";
import { type InventorySource, inventorySourceById } from "../model/inventories.ts";
import { runAnsible } from "./ansible.ts";
import { openCredentials } from "./credentials.ts";
import { importInventory } from "./inventory_import.ts";
import { type Inventory, readListing } from "./inventory_listing.ts";
import { verbose } from "./output.ts";
import { JobError, type Outcome, type Run } from "./perform.ts";
import { treeOf } from "./project_tree.ts";

/** Run it. */
export async function runInventoryUpdate(run: Run): Promise<Outcome> {
  const { db, dir, job, redactor } = run;
  if (job.inventory_source_id === null) {
    throw new JobError(`Cannot run job ${job.id}: its source was deleted`);
  }
  const source = await inventorySourceById(db, job.inventory_source_id);
  const place = await placeOf(run, source);
  const list = dir.at("inventory.json");
  const outcome = await runAnsible(run, {
    program: "ansible-inventory",
    args: ["--inventory", place.path, "--list", "--export", "--output", list],
    cwd: place.directory,
    credentials: await openCredentials(db, job.credential_ids, redactor),
    env: {
      ...environmentOf(source),
      ANSIBLE_INVENTORY_UNPARSED_FAILED: "True",
      ANSIBLE_INVENTORY_ANY_UNPARSED_IS_FAILED: "True",
    },
  });
  if (outcome.status !== "successful") return outcome;
  return await imported(run, source, readListing(await readFile(list, "utf8")), outcome);
}

async function imported(
  run: Run,
  source: InventorySource,
  listed: Inventory,
  outcome: Outcome,
): Promise<Outcome> {
  const summary = `${listed.hosts.length} hosts in ${listed.groups.length} groups`;
  await run.tell([verbose(`${source.name} lists ${summary}\n`)]);
  const artifacts: Record<string, number> = {};
  return {
    ...outcome,
    explanation: `Imported ${summary}`,
    artifacts,
    // The artifacts are written after it, in the same transaction.
    write: async (tx) => void Object.assign(artifacts, await importInventory(tx, source, listed)),
  };
}

/** Where the source is, and where ansible-inventory runs. */
async function placeOf(run: Run, source: InventorySource): Promise<{ path: string; directory: string }> {
  const { dir } = run;
  const directory = await dir.directory("work");
  switch (source.kind) {
    case "static":
      return {
        path: await dir.file(`source/inventory${endingOf(source.content)}`, source.content),
        directory,
      };
    case "script":
      return { path: await dir.file("source/inventory_script", source.content, 0o700), directory };
    case "file":
      return { path: resolve(source.path), directory };
    case "project": {
      if (source.project_id === null) {
        throw new JobError(`Cannot update "${source.name}": it names no project`);
      }
      const tree = await treeOf(run, source.project_id);
      const path = resolve(tree.path, source.path);
      if (path === tree.path || path.startsWith(tree.path + sep)) return { path, directory: tree.path };
      throw new JobError(
        `Cannot update "${source.name}": ${JSON.stringify(source.path)} is not inside of the project`,
      );
    }
  }
}

/** Ansible goes by the name: JSON and YAML are read by one plugin, everything else is ini. */
function endingOf(content: string): string {
  const first = content.split("\n").find((line) => line.trim() !== "" && !line.startsWith("#")) ?? "";
  if (first.trimStart().startsWith("{")) return ".json";
  return /^(---|["']?[\w.-]+["']?:\s*)$/.test(first.trimEnd()) ? ".yml" : "";
}

function environmentOf({ source_vars }: InventorySource): Record<string, string> {
  const text = (value: unknown) => typeof value === "string" ? value : JSON.stringify(value);
  return Object.fromEntries(Object.entries(source_vars).map(([name, value]) => [name, text(value)]));
}
