/**
 * Launch, cancel, relaunch: of jobs and workflows alike.
 *
 * @module
 */
import { DispatcherError } from "edge-dispatcher";
import { type Deed, type Fields, html, plural } from "edge-dispatcher/view";
import { cancelJob } from "../../jobs/model/endings.ts";
import { launch, relaunch } from "../../jobs/model/launch.ts";
import { trigger } from "../../jobs/model/trigger.ts";
import { jobById, type UnifiedJob } from "../../jobs/model/unified_job.ts";
import { failedHosts } from "../queries/events.ts";
import { readId, readTemplate } from "../search.ts";
import { jobPath, kindWord } from "../status.ts";
import { readVariables } from "../vars.ts";

/** Hosts that are named before one is asked. */
const NAMED = 20;

const target = (fields: Fields) => `job ${fields.need("job")}`;
const named = ({ id, kind, name }: UnifiedJob) => `${kindWord(kind)} ${id} "${name}"`;

/** @throws {DispatcherError} `usage` */
function idOf(fields: Fields): number {
  const text = fields.need("job");
  const id = readId(text);
  if (id === undefined) throw new DispatcherError("usage", `Cannot find job "${text}": it is no id`);
  return id;
}

export const jobDeeds: Record<string, Deed> = {
  launch: {
    action: "awx.job.launch",
    target: (fields) => fields.need("template"),
    async run(client, fields) {
      const text = fields.need("template");
      const template = readTemplate(text);
      if (!template) {
        throw new DispatcherError("usage", `Cannot launch "${text}": it is no KIND:ID of a template`);
      }
      const extraVars = readVariables(fields.get("extra_vars"));
      const hostLimit = fields.get("limit");
      const job = await client.transaction(async (tx, publish) => {
        const job = await launch(tx, template, { extraVars, hostLimit });
        await trigger(publish);
        return job;
      });
      // Names only: a value may be a secret.
      const detail = { job: job.id, extra_vars: Object.keys(extraVars), limit: hostLimit ?? null };
      return { value: `Launched ${named(job)}`, detail, then: jobPath(job) };
    },
  },
  cancel: {
    action: "awx.job.cancel",
    target,
    async ask(client, fields) {
      const job = await jobById(client.database(), idOf(fields));
      const what = job.kind === "workflow_job"
        ? "Cancels the workflow: what it has started is told to end, and nothing more is started."
        : job.status === "pending"
        ? "It has not been started, and will not be."
        : "What runs is told to end, with all of its processes.";
      return {
        title: `Cancel ${named(job)}`,
        text: html`
          <p>${what}</p>
          <p>It is <b>${job.status}</b>.</p>
        `,
        button: "Cancel it",
        fields: { job: `${job.id}` },
        nothing: job.finished !== null,
      };
    },
    async run(client, fields) {
      const id = idOf(fields);
      const { did, job } = await client.transaction((tx, publish) => cancelJob(tx, publish, id));
      if (did === "canceling" && job.task_uuid !== null) await client.cancel([job.task_uuid]);
      const said = {
        canceled: `Canceled ${named(job)}`,
        canceling: `Told ${named(job)} to end`,
        final: `Nothing was canceled: ${named(job)} was ${job.status} already`,
      };
      return { value: said[did], count: Number(did !== "final") };
    },
  },
  relaunch: {
    action: "awx.job.relaunch",
    target,
    run: (client, fields) => again(client, idOf(fields)),
  },
  relaunch_failed: {
    action: "awx.job.relaunch",
    target,
    async ask(client, fields) {
      const job = await jobById(client.database(), idOf(fields));
      const hosts = await failedHosts(client.database(), job);
      const more = hosts.length > NAMED ? ` and ${hosts.length - NAMED} more` : "";
      return {
        title: `Relaunch ${named(job)} on ${plural(hosts.length, "host")}`,
        text: hosts.length === 0
          ? html`<p>Its events tell of no host on which it failed.</p>`
          : html`<p>Launches it again as it was launched then, on the hosts on which it failed: <b>${
            hosts.slice(0, NAMED).join(", ")
          }</b>${more}.</p>`,
        button: "Relaunch",
        fields: { job: `${job.id}` },
        nothing: hosts.length === 0,
      };
    },
    async run(client, fields) {
      const id = idOf(fields);
      const hosts = await failedHosts(client.database(), await jobById(client.database(), id));
      if (hosts.length === 0) {
        throw new DispatcherError(
          "refused",
          `Cannot relaunch job ${id}: its events tell of no host on which it failed`,
        );
      }
      return await again(client, id, hosts);
    },
  },
};

async function again(client: Parameters<Deed["run"]>[0], id: number, hosts?: string[]) {
  const job = await client.transaction(async (tx, publish) => {
    const job = await relaunch(tx, id, hosts && { hostLimit: hosts.join(",") });
    await trigger(publish);
    return job;
  });
  const on = hosts ? ` on ${plural(hosts.length, "host")}` : "";
  return { value: `Launched ${named(job)} again${on}`, detail: { job: job.id }, then: jobPath(job) };
}
