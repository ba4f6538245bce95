/**
 * What a job of a template does: its playbook, or its command.
 *
 * @module
 */
import { resolve, sep } from "node:path";
import { findProgram } from "./program.ts";
import { runAnsible } from "./ansible.ts";
import { openCredentials } from "./credentials.ts";
import { environment } from "./environment.ts";
import { inventoryFile } from "./inventory_file.ts";
import { JobError, type Outcome, type Run } from "./perform.ts";
import { type Tree, treeOf } from "./project_tree.ts";
import { outcomeOf, runTold } from "./told.ts";

/** Run it. */
export async function runJob(run: Run): Promise<Outcome> {
  const { project_id, spec } = run.job;
  const tree = project_id === null
    ? { path: await run.dir.directory("work") }
    : await treeOf(run, project_id);
  const outcome = spec.kind === "command" ? await runCommand(run, tree) : await runPlaybook(run, tree);
  return { ...outcome, scmRevision: tree.revision };
}

async function runCommand(run: Run, tree: Tree): Promise<Outcome> {
  const { db, dir, job, redactor } = run;
  const [file, ...args] = job.spec.command ?? [];
  if (!file) throw new JobError(`Cannot run job ${job.id}: its command is empty`);
  const credentials = await openCredentials(db, job.credential_ids, redactor);
  const env = environment({
    ...credentials.env,
    AWX_JOB_ID: `${job.id}`,
    AWX_EXTRA_VARS_FILE: await dir.file("extra_vars.json", JSON.stringify(job.extra_vars)),
  });
  if (job.inventory_id !== null) env.AWX_INVENTORY_FILE = await inventoryFile(db, job.inventory_id, dir);
  if (!findProgram(file, env.PATH, tree.path)) {
    throw new JobError(`Cannot run "${file}": no such program on node "${run.context.node}"`);
  }
  return outcomeOf(await runTold(run, { file, args, cwd: tree.path, env }), file, run);
}

async function runPlaybook(run: Run, tree: Tree): Promise<Outcome> {
  const { db, dir, job, redactor } = run;
  const { playbook = "", forks, host_limit, job_tags, skip_tags, verbosity } = job.spec;
  const path = resolve(tree.path, playbook);
  if (!path.startsWith(tree.path + sep)) {
    throw new JobError(`Cannot run playbook ${JSON.stringify(playbook)}: it is not inside of the project`);
  }
  const extra = { ...job.extra_vars, awx_job_id: job.id, awx_job_launch_type: job.launch_type };
  const args = [
    "--inventory",
    await inventoryFile(db, job.inventory_id, dir),
    "--extra-vars",
    `@${await dir.file("extra_vars.json", JSON.stringify(extra))}`,
    ...forks > 0 ? ["--forks", `${forks}`] : [],
    ...host_limit ? [`--limit=${host_limit}`] : [],
    ...job_tags ? [`--tags=${job_tags}`] : [],
    ...skip_tags ? [`--skip-tags=${skip_tags}`] : [],
    ...verbosity > 0 ? [`-${"v".repeat(verbosity)}`] : [],
    path,
  ];
  return await runAnsible(run, {
    program: "ansible-playbook",
    args,
    cwd: tree.path,
    credentials: await openCredentials(db, job.credential_ids, redactor),
    // The other plugins would each try to read it.
    env: { ANSIBLE_INVENTORY_ENABLED: "yaml" },
  });
}
