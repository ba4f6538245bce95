/**
 * `awx project …`.
 *
 * @module
 */
import type { Command } from "edge-dispatcher/command";
import { CREDENTIALS } from "../jobs/model/credentials.ts";
import { deleteProject } from "../jobs/model/deletion.ts";
import { type Project, PROJECTS } from "../jobs/model/projects.ts";
import { byName } from "../jobs/model/table.ts";
import { numberField, referenceField, textField, yesNoField } from "./fields.ts";
import { launchNow } from "./job.ts";
import { connected, nameOf } from "./kit.ts";
import {
  createCommand,
  deleteCommand,
  listCommand,
  modifyCommand,
  namesOf,
  type Resource,
  showCommand,
} from "./resource.ts";
import { LAUNCH_FLAGS, launched, withinOf } from "./waiting.ts";

interface Shown extends Project {
  credential: string | null;
}

const PROJECT: Resource<Project, Shown> = {
  table: PROJECTS,
  cells: [
    ["NAME", ({ name }) => name],
    ["FROM", ({ scm_type, scm_url, local_path }) => scm_type === "" ? local_path : scm_url],
    ["BRANCH", ({ scm_branch }) => scm_branch],
    ["REVISION", ({ scm_revision }) => scm_revision.slice(0, 12)],
    ["ON LAUNCH", ({ update_on_launch }) => update_on_launch ? "updates" : "-"],
  ],
  fields: [
    textField("url", "scm_url", "URL", "Git repository"),
    textField("branch", "scm_branch", "REF", "Branch, tag or commit, by default the repository's own"),
    textField("path", "local_path", "DIR", "Directory of the nodes, instead of a repository"),
    yesNoField("clean", "scm_clean", "Whether an update drops what was changed in the clone"),
    yesNoField("update-on-launch", "update_on_launch", "Whether it is updated before a job uses it"),
    numberField(
      "cache-timeout",
      "update_cache_timeout",
      "S",
      "Seconds for which an update before a job holds",
    ),
    numberField("timeout", "timeout", "S", "Seconds that an update may take, 0 for any"),
    referenceField("credential", "credential_id", CREDENTIALS, "Credential of kind scm"),
  ],
  async view(db, rows) {
    const names = await namesOf(db, CREDENTIALS);
    return rows.map((row) => ({ ...row, credential: names.get(row.credential_id) ?? null }));
  },
  remove: deleteProject,
};

export const projectList: Command = listCommand(
  PROJECT,
  "List projects: where they are from, and their revision",
);
export const projectShow: Command = showCommand(PROJECT);
export const projectDelete: Command = deleteCommand(PROJECT);
export const projectModify: Command = modifyCommand(PROJECT);

/** With a URL it is a git project. */
export const projectCreate: Command = createCommand(PROJECT, {
  usage: "NAME --url URL | --path DIR",
  values: (context, what) => ({
    name: nameOf(context, what),
    scm_type: context.flags.url === undefined ? "" : "git",
  }),
});

export const projectUpdate: Command = {
  summary: "Launch an update of a project; prints the job's number",
  usage: "NAME [--wait]",
  words: true,
  flags: LAUNCH_FLAGS,
  async run(context) {
    const name = nameOf(context, "update a project");
    withinOf(context);
    const { client, db } = await connected(context);
    const { id } = await byName(db, PROJECTS, name);
    return await launched(context, db, await launchNow(client, { kind: "project", id }));
  },
};
