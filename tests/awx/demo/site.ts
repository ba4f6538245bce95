/**
 * What the demonstration works on: a git repository with a playbook and an inventory script, and the control plane's
 * rows that name them.
 *
 * @module
 */
import { execFileSync } from "node:child_process";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Client } from "../../../mod.ts";
import { attach, createNotificationTemplate } from "../../../tasks/jobs/model/notification_templates.ts";
import { addMembers, INSTANCE_GROUPS } from "../../../tasks/jobs/model/instance_groups.ts";
import { INVENTORIES, INVENTORY_SOURCES } from "../../../tasks/jobs/model/inventories.ts";
import { PROJECTS } from "../../../tasks/jobs/model/projects.ts";
import { writeSetting } from "../../../tasks/jobs/model/settings.ts";
import { create } from "../../../tasks/jobs/model/table.ts";
import { JOB_TEMPLATES } from "../../../tasks/jobs/model/templates.ts";
import { createWorkflow } from "../../../tasks/jobs/model/workflow_templates.ts";

/** How the site is made. */
export interface SiteOptions {
  /** Where the repository, the clones and the private directories are. */
  dir: string;
  /** Seconds that the playbook takes. */
  seconds: number;
  /** Where the notification goes. */
  webhook: string;
  /** The nodes that deployments run on. */
  workers: string[];
  /** Without ansible the deployment is a command. */
  ansible: boolean;
}

const HOSTS = ["web1", "web2", "db1"];

function playbook(seconds: number): string {
  return `- name: Deploy
  hosts: all
  gather_facts: false
  tasks:
    - name: Upload step {{ item }}
      ansible.builtin.command: sleep ${(seconds / 10).toFixed(1)}
      loop: "{{ range(1, 11) | list }}"
      changed_when: true
    - name: Say what was deployed
      ansible.builtin.debug:
        msg: "{{ inventory_hostname }} runs {{ version }}"
`;
}

const INVENTORY = `#!/bin/sh
echo '${
  JSON.stringify({
    web: { hosts: ["web1", "web2"] },
    db: { hosts: ["db1"] },
    _meta: { hostvars: Object.fromEntries(HOSTS.map((host) => [host, { ansible_connection: "local" }])) },
  })
}'
`;

function makeRepository(dir: string, seconds: number): string {
  const repository = join(dir, "shop.git");
  mkdirSync(repository, { recursive: true });
  writeFileSync(join(repository, "deploy.yml"), playbook(seconds));
  writeFileSync(join(repository, "hosts.sh"), INVENTORY, { mode: 0o755 });
  const git = (...args: string[]) => execFileSync("git", args, { cwd: repository, stdio: "ignore" });
  git("init", "--initial-branch=main");
  git("add", ".");
  git("-c", "user.name=Demo", "-c", "user.email=demo@localhost", "commit", "-m", "The shop");
  return repository;
}

/** Make all of it; returns the id of the workflow. */
export async function makeSite(client: Client, options: SiteOptions): Promise<number> {
  const { dir, seconds, webhook, workers, ansible } = options;
  const repository = makeRepository(dir, seconds);
  return await client.transaction(async (tx) => {
    await writeSetting(tx, "PROJECTS_ROOT", join(dir, "projects"));
    await writeSetting(tx, "JOB_ROOT", join(dir, "jobs"));
    await writeSetting(tx, "CALLBACK_QUEUE", "postgres");
    // A demonstration does not wait for a minute.
    await writeSetting(tx, "HEARTBEAT_GRACE", 6);
    const project = await create(tx, PROJECTS, {
      name: "shop",
      scm_type: "git",
      scm_url: `file://${repository}`,
      scm_branch: "main",
    });
    const inventory = await create(tx, INVENTORIES, { name: "shop hosts" });
    const source = await create(tx, INVENTORY_SOURCES, {
      name: "hosts.sh",
      inventory_id: inventory.id,
      kind: "project",
      project_id: project.id,
      path: "hosts.sh",
      overwrite: true,
    });
    const group = await create(tx, INSTANCE_GROUPS, { name: "workers" });
    await addMembers(tx, group.name, workers);
    const deploy = await create(tx, JOB_TEMPLATES, {
      name: "deploy the shop",
      ...ansible
        ? { kind: "playbook", project_id: project.id, playbook: "deploy.yml" }
        : { kind: "command", command: ["sh", "-c", steps(seconds)] },
      inventory_id: inventory.id,
      instance_group_ids: [group.id],
      extra_vars: { version: "1.2" },
    });
    const node = (identifier: string, template_kind: string, template_id: number) => ({
      identifier,
      template_kind,
      template_id,
    });
    const workflow = await createWorkflow(tx, { name: "release" }, {
      nodes: [
        node("update-project", "project", project.id),
        node("update-inventory", "inventory_source", source.id),
        node("deploy", "job_template", deploy.id),
        node("deploy-again", "job_template", deploy.id),
      ],
      edges: [
        { parent: "update-project", child: "update-inventory", kind: "success" },
        { parent: "update-inventory", child: "deploy", kind: "success" },
        { parent: "deploy", child: "deploy-again", kind: "failure" },
      ],
    });
    const told = await createNotificationTemplate(tx, {
      name: "demo webhook",
      kind: "webhook",
      configuration: { url: webhook },
    });
    await attach(tx, told, { kind: "workflow_template", id: workflow.id }, ["started", "success", "error"]);
    return workflow.id;
  });
}

function steps(seconds: number): string {
  return `for i in 1 2 3 4 5 6 7 8 9 10; do echo "step $i"; sleep ${(seconds / 10).toFixed(1)}; done`;
}
