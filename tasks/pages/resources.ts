/**
 * What jobs are made of, a section each: templates, projects, inventories, schedules, notifications.
 *
 * @module
 */
import {
  ago,
  askButton,
  badge,
  type Column,
  count,
  formButton,
  type Html,
  html,
  NONE,
  type Page,
  type PageContext,
  panel,
  plural,
  redactLine,
  table,
} from "edge-dispatcher/view";
import type { JobStatus } from "../jobs/model/unified_job.ts";
import {
  type InventoryLine,
  inventoryLines,
  MOST,
  type NotificationLine,
  notificationLines,
  type ProjectLine,
  projectLines,
  type ScheduleLine,
  scheduleLines,
  type TemplateLine,
  templateLines,
} from "./queries/resources.ts";
import { statusBadge } from "./status.ts";

export const resources: Page = {
  path: "/resources",
  async draw(context) {
    const db = context.client.database();
    const [templates, projects, inventories, schedules, notifications] = await Promise.all([
      templateLines(db),
      projectLines(db),
      inventoryLines(db),
      scheduleLines(db),
      notificationLines(db),
    ]);
    const section = (id: string, title: string, rows: readonly unknown[], body: Html) => ({
      id,
      body: panel(title, html`${body}${cutNote(rows)}`, html`<span class="dim num">${rows.length}</span>`),
    });
    return {
      title: "Resources",
      sections: [
        section("templates", "Job templates", templates, templateTable(context, templates)),
        section("projects", "Projects", projects, projectTable(context, projects)),
        section("inventories", "Inventories", inventories, inventoryTable(context, inventories)),
        section("plans", "Schedules", schedules, scheduleTable(context, schedules)),
        section(
          "notifications",
          "Notification templates",
          notifications,
          notificationTable(context, notifications),
        ),
      ],
    };
  },
};

function cutNote(rows: readonly unknown[]): Html {
  return rows.length < MOST
    ? NONE
    : html`<p class="note">The first ${MOST}; <code>cli awx</code> lists all.</p>`;
}

type Last = { last_id: number | null; last_status: JobStatus | null; last_finished: string | null };

function last(
  { to, now }: PageContext,
  { last_id, last_status, last_finished }: Last,
  never = "never",
): Html {
  if (last_id === null) return html`<span class="dim">${never}</span>`;
  const at = last_finished === null ? NONE : html`
    <span class="dim">${ago(last_finished, now)} ago</span>
  `;
  return html`${statusBadge(last_status!)} <a href="${to(`/jobs/${last_id}`)}">#${last_id}</a>${at}`;
}

const dash = html`<span class="dim">–</span>`;

function templateTable(context: PageContext, rows: TemplateLine[]): Html {
  const { to, mayAct } = context;
  const columns: Column<TemplateLine>[] = [
    {
      title: "Name",
      cell: ({ id, name }) =>
        html`<a href="${to(`/jobs?q=${encodeURIComponent(`template:${id}`)}`)}">${name}</a>`,
    },
    { title: "Kind", wide: true, cell: ({ kind }) => kind },
    { title: "Runs", cell: ({ what }) => html`<span class="mono roomy">${redactLine(what)}</span>` },
    { title: "Project", wide: true, cell: ({ project }) => project ?? dash },
    { title: "Inventory", wide: true, cell: ({ inventory }) => inventory ?? dash },
    { title: "Last run", cell: (row) => last(context, row) },
  ];
  if (mayAct) {
    columns.push({
      title: "Actions",
      cell: ({ id, name }) =>
        html`<a class="button" href="${
          to(`/jobs/launch?template=job_template:${id}`)
        }" aria-label="Launch ${name}">Launch…</a>`,
    });
  }
  return table({
    caption: "Job templates",
    columns,
    rows,
    key: ({ id }) => `t-${id}`,
    empty: "There is no job template.",
  });
}

function updateButton({ to, csrf, here }: PageContext, template: string, about: string): Html {
  return formButton({
    action: to("/act/job/launch"),
    label: "Update now",
    about: `Update now: ${about}`,
    csrf,
    fields: { template, back: here },
  });
}

function projectTable(context: PageContext, rows: ProjectLine[]): Html {
  const columns: Column<ProjectLine>[] = [
    { title: "Name", cell: ({ name }) => html`<b>${name}</b>` },
    {
      title: "Comes from",
      cell: ({ scm_type, place, scm_branch }) =>
        html`<span class="mono roomy">${redactLine(place)}</span>${
          scm_branch === "" ? NONE : html`
            <span class="dim">at ${scm_branch}</span>
          `
        }${
          scm_type === ""
            ? html`
              <span class="dim">(a directory)</span>
            `
            : NONE
        }`,
    },
    {
      title: "Revision",
      wide: true,
      cell: ({ scm_revision }) =>
        scm_revision === "" ? dash : html`<span class="mono">${scm_revision.slice(0, 12)}</span>`,
    },
    { title: "On launch", wide: true, cell: ({ update_on_launch }) => update_on_launch ? "updates" : dash },
    { title: "Last update", cell: (row) => last(context, row) },
  ];
  if (context.mayAct) {
    columns.push({
      title: "Actions",
      cell: ({ id, name, scm_type }) =>
        scm_type === "" ? NONE : updateButton(context, `project:${id}`, `project ${name}`),
    });
  }
  return table({
    caption: "Projects",
    columns,
    rows,
    key: ({ id }) => `p-${id}`,
    empty: "There is no project.",
  });
}

function inventoryTable(context: PageContext, rows: InventoryLine[]): Html {
  const columns: Column<InventoryLine>[] = [
    {
      title: "Name",
      cell: ({ name, pending_deletion }) =>
        html`<b>${name}</b>${
          pending_deletion
            ? html`
              ${badge("being deleted", "warn")}
            `
            : NONE
        }`,
    },
    { title: "Hosts", right: true, cell: ({ hosts }) => count(hosts) },
    { title: "Groups", right: true, cell: ({ groups }) => count(groups) },
    {
      title: "Sources",
      cell: ({ sources }) =>
        sources.length === 0
          ? html`<span class="dim">none</span>`
          : html`<ul class="sources">${
            sources.map((source) =>
              html`<li><span>${source.name} <span class="dim">${source.kind}</span></span> ${
                last(context, source)
              }${
                context.mayAct
                  ? updateButton(context, `inventory_source:${source.id}`, `source ${source.name}`)
                  : NONE
              }</li>`
            )
          }</ul>`,
    },
  ];
  return table({
    caption: "Inventories",
    columns,
    rows,
    key: ({ id }) => `v-${id}`,
    empty: "There is no inventory.",
  });
}

function scheduleActions({ to, csrf, here }: PageContext, { id, name, enabled }: ScheduleLine): Html {
  const fields = { schedule: `${id}`, back: here };
  const [verb, label] = enabled ? ["disable", "Disable"] : ["enable", "Enable"];
  const about = `${label} schedule ${name}`;
  const toggle = formButton({ action: to(`/act/plan/${verb}`), label, about, csrf, fields });
  const remove = askButton(
    to(`/ask/plan/delete?${new URLSearchParams(fields)}`),
    "Delete…",
    `Delete schedule ${name}`,
    "danger",
  );
  return html`<div class="actions">${toggle}${remove}</div>`;
}

function scheduleTable(context: PageContext, rows: ScheduleLine[]): Html {
  const { now } = context;
  const columns: Column<ScheduleLine>[] = [
    {
      title: "Name",
      cell: ({ name, enabled }) =>
        html`<b>${name}</b>${
          enabled ? NONE : html`
            ${badge("off", "off")}
          `
        }`,
    },
    {
      title: "Launches",
      cell: ({ template, template_kind, template_id }) => template ?? `${template_kind} ${template_id}`,
    },
    { title: "Rule", wide: true, cell: ({ rrule }) => html`<span class="mono roomy">${rrule}</span>` },
    { title: "Next", right: true, cell: ({ next_run, enabled }) => enabled ? ago(next_run, now) : dash },
    { title: "Last", right: true, cell: ({ last_run }) => ago(last_run, now) },
  ];
  if (context.mayAct) columns.push({ title: "Actions", cell: (row) => scheduleActions(context, row) });
  return table({
    caption: "Schedules",
    columns,
    rows,
    key: ({ id }) => `s-${id}`,
    empty: "There is no schedule.",
  });
}

function notificationTable({ now }: PageContext, rows: NotificationLine[]): Html {
  const columns: Column<NotificationLine>[] = [
    { title: "Name", cell: ({ name }) => html`<b>${name}</b>` },
    { title: "Kind", cell: ({ kind }) => kind },
    { title: "Attached", right: true, cell: ({ attachments }) => plural(attachments, "time") },
    {
      title: "Of the last 100",
      cell: ({ sent, failed, last_error }) =>
        html`${badge(`${sent} sent`, sent > 0 ? "good" : "off")}${
          failed > 0
            ? html`
              ${badge(`${failed} failed`, "bad")}<span class="explains">${redactLine(last_error ?? "")}</span>
            `
            : NONE
        }`,
    },
    { title: "Last", right: true, cell: ({ last: at }) => ago(at, now) },
  ];
  return table({
    caption: "Notification templates",
    columns,
    rows,
    key: ({ id }) => `no-${id}`,
    empty: "There is no notification template.",
  });
}
