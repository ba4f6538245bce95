/**
 * Workflows: the templates, and the runs of all of them.
 *
 * @module
 */
import {
  ago,
  type Column,
  formButton,
  type Html,
  html,
  NONE,
  type Page,
  type PageContext,
  panel,
  plural,
  table,
} from "edge-dispatcher/view";
import { jobTable } from "./jobs.ts";
import { workflowRuns, type WorkflowTemplateLine, workflowTemplates } from "./queries/workflows.ts";
import { readId } from "./search.ts";
import { statusBadge } from "./status.ts";

const [TEMPLATES, RUNS] = [200, 30];

export const workflows: Page = {
  path: "/workflows",
  async draw(context) {
    const db = context.client.database();
    const before = readId(context.query.get("before") ?? "");
    const [templates, runs] = await Promise.all([
      workflowTemplates(db, TEMPLATES),
      workflowRuns(db, before, RUNS + 1),
    ]);
    const shown = runs.slice(0, RUNS);
    const list = jobTable(context, shown, {
      empty: "No workflow has been launched yet.",
      caption: "Runs",
      without: ["Kind", "Node"],
    });
    return {
      title: "Workflows",
      sections: [
        { id: "templates", body: panel("Templates", templateTable(context, templates)) },
        {
          id: "runs",
          body: panel(
            "Runs",
            html`${list}${pager(context, before, runs.length > RUNS ? shown.at(-1)!.id : null)}`,
          ),
        },
      ],
    };
  },
};

function templateTable({ to, now, mayAct, csrf, here }: PageContext, rows: WorkflowTemplateLine[]): Html {
  const columns: Column<WorkflowTemplateLine>[] = [
    {
      title: "Name",
      cell: ({ id, name }) =>
        html`<a href="${
          to(`/jobs?q=${encodeURIComponent(`template:workflow_template:${id}`)}`)
        }">${name}</a>`,
    },
    { title: "Nodes", right: true, cell: ({ nodes }) => plural(nodes, "node") },
    {
      title: "Last run",
      cell: ({ last_id, last_status, last_created }) =>
        last_id === null
          ? html`<span class="dim">never</span>`
          : html`${statusBadge(last_status!)} <a href="${
            to(`/workflows/${last_id}`)
          }">#${last_id}</a> <span class="dim">${ago(last_created, now)} ago</span>`,
    },
  ];
  if (mayAct) {
    columns.push({
      title: "Actions",
      cell: ({ id, name }) =>
        html`
          <div
            class="actions">${formButton({
              action: to("/act/job/launch"),
              label: "Launch",
              about: `Launch workflow ${name}`,
              csrf,
              fields: { template: `workflow_template:${id}`, back: here },
            })}<a class="button" href="${to(
              `/jobs/launch?template=workflow_template:${id}`,
            )}" aria-label="With variables: launch workflow ${name}">With variables…</a></div>
        `,
    });
  }
  return table({
    caption: "Workflow templates",
    columns,
    rows,
    key: ({ id }) => `wt-${id}`,
    empty: "There is no workflow template yet.",
  });
}

function pager({ to }: PageContext, before: number | undefined, next: number | null): Html {
  if (before === undefined && next === null) return NONE;
  const newest = before === undefined ? NONE : html`<a class="button" href="${to("/workflows")}">Newest</a>`;
  const older = next === null
    ? html`<span class="dim">The end.</span>`
    : html`<a class="button" rel="next" href="${to(`/workflows?before=${next}`)}">Older</a>`;
  return html`<p class="pager">${newest} ${older}</p>`;
}
