/**
 * The form that launches a template.
 *
 * @module
 */
import {
  type Drawn,
  type Html,
  html,
  NONE,
  type Page,
  type PageContext,
  pretty,
  raw,
  redact,
  when,
} from "edge-dispatcher/view";
import type { Db } from "../jobs/model/rows.ts";
import { jobTemplateById } from "../jobs/model/templates.ts";
import type { Variables } from "../jobs/model/unified_job.ts";
import { workflowTemplateById } from "../jobs/model/workflows.ts";
import { type TemplateLine, templateLines } from "./queries/resources.ts";
import { type WorkflowTemplateLine, workflowTemplates } from "./queries/workflows.ts";
import { readTemplate } from "./search.ts";

/** Templates to choose from; of more the command line launches. */
const MOST = 500;

export const launch: Page = {
  path: "/jobs/launch",
  async draw(context): Promise<Drawn> {
    const db = context.client.database();
    const [templates, workflows] = await Promise.all([templateLines(db, MOST), workflowTemplates(db, MOST)]);
    const chosen = context.query.get("template") ?? "";
    const own = await ownVariables(db, chosen);
    const body = context.mayAct
      ? form(context, templates, workflows, chosen, own)
      : html`<p class="flash bad">Cannot let you launch: it needs an operator.</p>`;
    return { title: "Launch", still: true, sections: [{ id: "launch", body }] };
  },
};

/** What a template brings with it; none for what is not there. */
async function ownVariables(db: Db, chosen: string): Promise<Variables> {
  const found = readTemplate(chosen);
  try {
    if (found?.kind === "job_template") return (await jobTemplateById(db, found.id)).extra_vars;
    if (found?.kind === "workflow_template") return (await workflowTemplateById(db, found.id)).extra_vars;
  } catch {
    // The list has no such one either: nothing is chosen.
  }
  return {};
}

function form(
  { to, csrf, here }: PageContext,
  templates: TemplateLine[],
  workflows: WorkflowTemplateLine[],
  chosen: string,
  own: Variables,
): Html {
  if (templates.length + workflows.length === 0) {
    return html`<p class="empty">There is no template yet. Make one with <code>cli awx template create</code>.</p>`;
  }
  const option = (value: string, text: string) =>
    html`
      <option value="${value}" ${value === chosen ? raw(" selected") : NONE}>${text}</option>
    `;
  const brings = when(Object.keys(own).length > 0, () =>
    html`
      <details open>
        <summary>What the template brings</summary>
        <pre tabindex="0" aria-label="Variables of the template">${pretty(redact(own))}</pre>
      </details>
    `);
  return html`
    <form method="post" action="${to("/act/job/launch")}"
      class="panel form">${csrf}<input type="hidden" name="back" value="${here}">
    <p><label for="template">Template</label><select id="template" name="template" required><option value="">Choose…</option>
    <optgroup label="Job templates">${templates.map(({ id, name, kind }) =>
      option(`job_template:${id}`, `${name} (${kind})`)
    )}</optgroup>
    <optgroup label="Workflows">${workflows.map(({ id, name }) =>
      option(`workflow_template:${id}`, name)
    )}</optgroup></select></p>
    <p><label for="extra_vars">Extra variables</label><textarea id="extra_vars" name="extra_vars" rows="8" spellcheck="false" placeholder='{"version": "1.2"}' aria-describedby="vars-note"></textarea>
    <span class="note" id="vars-note">A JSON object; its members go before those of the template. They are kept with the job.</span></p>
    ${brings}
    <p><label for="limit">Limit</label><input id="limit" name="limit" autocomplete="off" spellcheck="false" aria-describedby="limit-note">
    <span class="note" id="limit-note">A pattern of hosts, such as <code>web*,!web3</code>; empty: what the template says. Workflows have none.</span></p>
    <p class="actions"><button class="primary">Launch</button> <a class="button" href="${to(
      "/jobs",
    )}">Do nothing</a></p></form>
  `;
}
