/**
 * Turn a schedule of the control plane off and on again, and delete it.
 *
 * @module
 */
import { DispatcherError } from "edge-dispatcher";
import { type Deed, type Fields, html } from "edge-dispatcher/view";
import { nameOfTemplate } from "../../jobs/model/names.ts";
import { type Schedule, SCHEDULES, updateSchedule } from "../../jobs/model/schedules.ts";
import { byId, locked, remove } from "../../jobs/model/table.ts";
import { readId } from "../search.ts";

const target = (fields: Fields) => `schedule ${fields.need("schedule")}`;

/** @throws {DispatcherError} `usage` */
function idOf(fields: Fields): number {
  const text = fields.need("schedule");
  const id = readId(text);
  if (id === undefined) throw new DispatcherError("usage", `Cannot find schedule "${text}": it is no id`);
  return id;
}

const nextOf = ({ next_run }: Schedule) => next_run === null ? "it does not come again" : `next ${next_run}`;

export const scheduleDeeds: Record<string, Deed> = {
  enable: switching("enable"),
  disable: switching("disable"),
  delete: {
    action: "awx.schedule.delete",
    target,
    async ask(client, fields) {
      const db = client.database();
      const schedule = await byId(db, SCHEDULES, idOf(fields));
      const { id, name, enabled, rrule, template_kind, template_id } = schedule;
      const template = await nameOfTemplate(db, { kind: template_kind, id: template_id });
      return {
        title: `Delete schedule "${name}"`,
        text: html`
          <p>It launches <b>${template}</b> by <span class="mono roomy">${rrule}</span>, and ${enabled
            ? nextOf(schedule)
            : "is off"}. What it has launched stays.</p>
        `,
        button: "Delete it",
        fields: { schedule: `${id}` },
      };
    },
    async run(client, fields) {
      const id = idOf(fields);
      const { name, rrule, template_kind, template_id } = await client.transaction((tx) =>
        remove(tx, SCHEDULES, id)
      );
      // Its row is gone: what it was stands in the record only.
      const detail = { name, rrule, template: `${template_kind}:${template_id}` };
      return { value: `Deleted schedule "${name}"`, detail };
    },
  },
};

function switching(verb: "enable" | "disable"): Deed {
  const enabled = verb === "enable";
  return {
    action: `awx.schedule.${verb}`,
    target,
    async run(client, fields) {
      const id = idOf(fields);
      const { was, now } = await client.transaction(async (tx) => {
        const was = await locked(tx, SCHEDULES, id);
        // A second click must not move the next run: one that is due now would be left out.
        return { was, now: was.enabled === enabled ? was : await updateSchedule(tx, id, { enabled }) };
      });
      const already = was.enabled === enabled ? " already" : "";
      const { name } = now;
      return {
        value: enabled
          ? `Schedule "${name}" is on${already}, ${nextOf(now)}`
          : `Schedule "${name}" is off${already}: it launches nothing; what runs goes on`,
        count: Number(already === ""),
        detail: { name },
      };
    },
  };
}
