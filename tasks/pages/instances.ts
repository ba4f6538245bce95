/**
 * Nodes as the control plane sees them: how much each can take, what takes it, and whether it is heard.
 *
 * @module
 */
import {
  ago,
  badge,
  bytes,
  type Column,
  formButton,
  hidden,
  type Html,
  html,
  NONE,
  type Page,
  type PageContext,
  panel,
  plural,
  secondsBetween,
  table,
  when,
} from "edge-dispatcher/view";
import { settings } from "../jobs/model/settings.ts";
import {
  type GroupLine,
  groupLines,
  type InstanceLine,
  instanceLines,
  runningJobs,
  type RunningLine,
} from "./queries/instances.ts";
import { elapsed, jobLink, statusBadge } from "./status.ts";

export const instances: Page = {
  path: "/instances",
  async draw(context) {
    const db = context.client.database();
    const [lines, groups, running, { HEARTBEAT_GRACE }] = await Promise.all([
      instanceLines(db),
      groupLines(db),
      runningJobs(db),
      settings(db),
    ]);
    const cards = lines.map((line) =>
      card(context, line, running.filter((job) => job.execution_node === line.hostname), HEARTBEAT_GRACE)
    );
    return {
      title: "Instances",
      sections: [
        {
          id: "instances",
          body: cards.length === 0
            ? html`<p class="empty">No node has said what it can take. Each node does within 20 seconds of its start.</p>`
            : html`<h2 class="unseen">Instances</h2>${cards}`,
        },
        { id: "groups", body: panel("Instance groups", groupTable(groups)) },
      ],
    };
  },
};

/** The worst that is true of it. */
function state({ enabled, capacity, last_seen }: InstanceLine, now: string, grace: number): Html {
  if (last_seen === null || secondsBetween(last_seen, now) > grace) return badge("not heard", "bad");
  if (!enabled) return badge("disabled", "off");
  return capacity === 0 ? badge("no capacity", "warn") : badge("ready", "good");
}

function card(context: PageContext, line: InstanceLine, running: RunningLine[], grace: number): Html {
  const { now } = context;
  const { hostname, cpu, memory_mb, cpu_capacity, mem_capacity, capacity_adjustment, resources } = line;
  const offers = Object.entries(resources).map(([name, value]) => `${name} ${value}`).join(", ");
  const facts: [string, Html | string | null][] = [
    [
      "Heartbeat",
      line.last_seen === null ? "never" : html`<span class="num">${ago(line.last_seen, now)}</span> ago`,
    ],
    ["By its cores", `${cpu_capacity} (${plural(cpu, "core")})`],
    ["By its memory", `${mem_capacity} (${bytes(memory_mb * 1024 * 1024)})`],
    ["Adjustment", `${capacity_adjustment}`],
    ["Groups", line.groups.join(", ") || "none"],
    ["Offers", offers || null],
    ["Version", line.version || null],
  ];
  const errors = when(line.errors !== "", () => html`<p class="error">${line.errors}</p>`);
  return html`
    <article class="panel node" data-key="i-${hostname}"
      aria-label="Instance ${hostname}"><header><h3>${hostname}</h3>${state(
        line,
        now,
        grace,
      )}</header>${capacityBar(line)}<dl class="facts">${facts.filter(([, value]) => value !== null).map((
        [name, value],
      ) =>
        html`
          <div>
            <dt>${name}</dt>
            <dd>${value}</dd>
          </div>
        `
      )}</dl>${errors}${work(context, hostname, running, line.jobs)}${when(
        context.mayAct,
        () => actions(context, line),
      )}</article>
  `;
}

const [WIDTH, HEIGHT] = [600, 10];

/** How much of it is taken. */
function capacityBar({ hostname, capacity, used }: InstanceLine): Html {
  const whole = Math.max(capacity, used, 1);
  const taken = used / whole * WIDTH;
  const tone = used > capacity ? "bad" : used === capacity && used > 0 ? "warn" : "busy";
  return html`
    <p
      class="capacity"><b class="num">${used}</b> of <b class="num">${capacity}</b> of its capacity is taken</p>
    <svg class="bar-line" viewBox="0 0 ${WIDTH} ${HEIGHT}" role="img"
      aria-label="${used} of ${capacity} of the capacity of ${hostname} is taken" preserveAspectRatio="none">
      <rect class="rest" width="${WIDTH}" height="${HEIGHT}" />
      <rect class="${tone}" width="${taken.toFixed(1)}" height="${HEIGHT}" />
    </svg>
  `;
}

function work({ to, now }: PageContext, hostname: string, running: RunningLine[], all: number): Html {
  if (running.length === 0) return html`<p class="empty">No job runs.</p>`;
  const more = all - running.length;
  return html`
    <details id="jobs-${hostname}">
      <summary>${plural(all, "job")}</summary>
      <ul class="running">${running.map((job) =>
        html`
          <li
            data-key="r-${job.id}"><span class="num">${elapsed(job, now)}</span> ${statusBadge(
              job.status,
            )} ${jobLink(to, job, `#${job.id} ${job.name}`)} <span class="dim">takes ${job
              .task_impact}</span></li>
        `
      )}${when(more > 0, () => html`<li class="dim">and ${more} more</li>`)}</ul>
    </details>
  `;
}

function actions(
  { to, csrf, here }: PageContext,
  { hostname, enabled, capacity_adjustment }: InstanceLine,
): Html {
  const fields = { instance: hostname, back: here };
  const verb = enabled ? "disable" : "enable";
  const about = `${enabled ? "Disable" : "Enable"} instance ${hostname}`;
  const toggle = formButton({
    action: to(`/act/instance/${verb}`),
    label: enabled ? "Disable" : "Enable",
    about,
    csrf,
    fields,
  });
  return html`
    <div
      class="actions">${toggle}<form method="post" action="${to(
        "/act/instance/adjust",
      )}" class="inline">${csrf}${hidden(
        fields,
      )}<label>adjustment <input name="adjustment" type="number" min="0" max="1" step="0.05" required value="${capacity_adjustment}" id="adjust-${hostname}" aria-label="Capacity adjustment of ${hostname}"></label><button aria-label="Adjust the capacity of ${hostname}">Adjust</button></form></div>
  `;
}

function groupTable(rows: GroupLine[]): Html {
  const limit = (n: number) => n === 0 ? html`<span class="dim">none</span>` : `${n}`;
  const columns: Column<GroupLine>[] = [
    { title: "Group", cell: ({ name }) => html`<b>${name}</b>` },
    {
      title: "Instances",
      right: true,
      cell: ({ members, all_instances }) =>
        html`${members}${
          all_instances
            ? html`
              <span class="dim">(all)</span>
            `
            : NONE
        }`,
    },
    { title: "Capacity", right: true, cell: ({ capacity }) => `${capacity}` },
    { title: "Taken", right: true, cell: ({ used }) => `${used}` },
    { title: "Jobs", right: true, cell: ({ jobs }) => `${jobs}` },
    { title: "Most jobs", right: true, cell: ({ max_concurrent_jobs }) => limit(max_concurrent_jobs) },
    { title: "Most forks", right: true, cell: ({ max_forks }) => limit(max_forks) },
  ];
  return table({
    caption: "Instance groups",
    columns,
    rows,
    key: ({ id }) => `g-${id}`,
    empty: "There is no group.",
  });
}
