/**
 * An ad hoc command: one module of ansible's on the hosts of an inventory.
 *
 * @module
 */
import { runAnsible } from "./ansible.ts";
import { openCredentials } from "./credentials.ts";
import { inventoryFile } from "./inventory_file.ts";
import { JobError, type Outcome, type Run } from "./perform.ts";

/** Run it. */
export async function runAdHoc(run: Run): Promise<Outcome> {
  const { db, dir, job, redactor } = run;
  const { module, module_args = "", host_limit, forks, verbosity } = job.spec;
  if (!module) throw new JobError(`Cannot run job ${job.id}: it names no module`);
  const args = [
    "all",
    "--inventory",
    await inventoryFile(db, job.inventory_id, dir),
    `--module-name=${module}`,
    ...module_args ? [`--args=${module_args}`] : [],
    ...host_limit ? [`--limit=${host_limit}`] : [],
    ...forks > 0 ? ["--forks", `${forks}`] : [],
    ...verbosity > 0 ? [`-${"v".repeat(verbosity)}`] : [],
  ];
  return await runAnsible(run, {
    program: "ansible",
    args,
    cwd: await dir.directory("work"),
    credentials: await openCredentials(db, job.credential_ids, redactor),
    env: { ANSIBLE_INVENTORY_ENABLED: "yaml" },
    minimal: true,
  });
}
