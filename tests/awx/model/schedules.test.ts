// @runtimes deno
import assert from "node:assert/strict";
import { createSchedule, updateSchedule } from "../../../tasks/jobs/model/schedules.ts";
import { create } from "../../../tasks/jobs/model/table.ts";
import { JOB_TEMPLATES } from "../../../tasks/jobs/model/templates.ts";
import { deleteJobTemplate } from "../../../tasks/jobs/model/deletion.ts";
import { test } from "../../harness.ts";
import { awxDatabase } from "../database.ts";

const NOW = new Date("2026-03-01T12:00:00Z");
const DAILY = "DTSTART:20260101T060000Z RRULE:FREQ=DAILY";

test("a schedule has its next run while it is enabled, and keeps its template from being deleted", async (t) => {
  const { sql } = await awxDatabase(t);
  const { id } = await create(sql, JOB_TEMPLATES, { name: "run", kind: "command", command: ["true"] });
  const input = { name: "daily", rrule: DAILY, template_kind: "job_template", template_id: id };
  const next = (schedule: { next_run: string | null }) => schedule.next_run && Date.parse(schedule.next_run);
  const schedule = await createSchedule(sql, input, NOW);
  assert.equal(next(schedule), Date.parse("2026-03-02T06:00:00Z"));
  assert.equal(next(await updateSchedule(sql, schedule.id, { enabled: false }, NOW)), null);
  const later = new Date("2026-05-01T00:00:00Z");
  assert.equal(
    next(await updateSchedule(sql, schedule.id, { enabled: true }, later)),
    Date.parse("2026-05-01T06:00:00Z"),
  );
  await assert.rejects(
    deleteJobTemplate(sql, id),
    /Cannot delete job template "run": schedule "daily" uses it/,
  );
});

test("createSchedule() refuses a rule that cannot be read or is over, and a template that is not there", async (t) => {
  const { sql, client } = await awxDatabase(t);
  const { id } = await create(sql, JOB_TEMPLATES, { name: "run", kind: "command", command: ["true"] });
  const input = { name: "s", rrule: DAILY, template_kind: "job_template", template_id: id };
  const cases: [Record<string, unknown>, RegExp][] = [
    [{ rrule: "every day" }, /every day/],
    [{ rrule: "DTSTART:20200101T060000Z RRULE:FREQ=DAILY;COUNT=2" }, /never comes again/],
    [{ template_id: 99 }, /Cannot create schedule "s": there is no job template 99/],
    [{ template_kind: "system", template_id: 99 }, /there is no system job 99/],
    [{ template_kind: "cron" }, /template_kind: .*: given "cron"/],
  ];
  for (const [change, message] of cases) {
    await assert.rejects(
      client.transaction((tx) => createSchedule(tx, { ...input, ...change }, NOW)),
      message,
    );
  }
  assert.equal((await sql.unsafe("select from awx.schedule")).length, 0);
});
