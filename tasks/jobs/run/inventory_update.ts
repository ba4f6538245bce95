/**
 * An inventory update: a source is listed by ansible-inventory, and its hosts, groups and variables are imported with
 * the verdict of the job, or not at all.
 *
 * @module
 */
import { access, constants, readFile } from "node:fs/promises";
import { resolve, sep } from "node:path";
import { type InventorySource, inventorySourceById } from "../model/inventories.ts";
import { runAnsible } from "./ansible.ts";
import { openCredentials } from "./credentials.ts";
import { importInventory } from "./inventory_import.ts";
import { type Inventory, readListing } from "./inventory_listing.ts";
import { verbose } from "./output.ts";
import { JobError, type Outcome, type Run } from "./perform.ts";
import { treeOf } from "./project_tree.ts";
import { staticSource } from "./static_source.ts";

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
      return { path: await staticSource(dir, source.content), directory };
    case "script":
      return { path: await dir.file("source/inventory_script", source.content, 0o700), directory };
    case "file": {
      const path = resolve(source.path);
      await there(path, source, `on node "${run.context.node}"`);
      return { path, directory };
    }
    case "project": {
      if (source.project_id === null) {
        throw new JobError(`Cannot update "${source.name}": it names no project`);
      }
      const tree = await treeOf(run, source.project_id);
      const path = resolve(tree.path, source.path);
      if (path !== tree.path && !path.startsWith(tree.path + sep)) {
        throw new JobError(
          `Cannot update "${source.name}": ${JSON.stringify(source.path)} is not inside of the project`,
        );
      }
      await there(path, source, tree.revision ? `in its project at ${tree.revision}` : "in its project");
      return { path, directory: tree.path };
    }
  }
}

/** Asked here: of a name with a comma that is not there, ansible would make hosts. */
async function there(path: string, { name, path: given }: InventorySource, where: string): Promise<void> {
  await access(path, constants.R_OK).catch(({ code }) => {
    const problem = code === "ENOENT" ? "is not there" : `cannot be read (${code})`;
    throw new JobError(`Cannot update "${name}": ${JSON.stringify(given)} ${problem} ${where}`);
  });
}

function environmentOf({ source_vars }: InventorySource): Record<string, string> {
  const text = (value: unknown) => typeof value === "string" ? value : JSON.stringify(value);
  return Object.fromEntries(Object.entries(source_vars).map(([name, value]) => [name, text(value)]));
}
