/**
 * Schedules: a template and an iCal rule that says when it is launched.
 *
 * @module
 */
import { DispatcherError } from "edge-dispatcher";
import { z } from "zod";
import { type Db, row } from "./rows.ts";
import { byId, create, idSchema, nameSchema, quoted, type Table, update } from "./table.ts";
import { mustBeThere } from "./there.ts";
import { TEMPLATE_KINDS, variables } from "./unified_job.ts";

export const scheduleSchema = z.object({
  id: z.int(),
  name: z.string(),
  rrule: z.string(),
  template_kind: z.enum(TEMPLATE_KINDS),
  template_id: z.int(),
  extra_vars: variables,
  enabled: z.boolean(),
  next_run: z.string().nullable(),
  last_run: z.string().nullable(),
});
export type Schedule = z.infer<typeof scheduleSchema>;

/** Their columns; see `table.ts`. Made and changed here, where their next run is found too. */
export const SCHEDULES: Table<Schedule> = {
  kind: "schedule",
  noun: "schedule",
  row: scheduleSchema,
  input: z.strictObject({
    name: nameSchema,
    rrule: z.string().min(1).max(10_000),
    template_kind: z.enum(TEMPLATE_KINDS),
    template_id: idSchema,
    extra_vars: variables.optional(),
    enabled: z.boolean().optional(),
  }),
};

/**
 * Make a schedule. Call it in a transaction.
 *
 * @throws {DispatcherError} `usage` for a rule that cannot be read or never comes, and for a template that is not there.
 */
export async function createSchedule(db: Db, input: unknown, now: Date = new Date()): Promise<Schedule> {
  const schedule = await create(db, SCHEDULES, await normal(input));
  return await settle(db, schedule, now, `create schedule ${quoted(schedule.name)}`);
}

/**
 * Change a schedule. One that was off goes on from now: what it missed is not made up for.
 *
 * @throws {DispatcherError} `not_found`, `usage`, `refused`.
 */
export async function updateSchedule(
  db: Db,
  id: number,
  patch: unknown,
  now: Date = new Date(),
): Promise<Schedule> {
  const schedule = await update(db, SCHEDULES, id, await normal(patch));
  return await settle(db, schedule, now, `update schedule ${quoted(schedule.name)}`);
}

async function settle(db: Db, schedule: Schedule, now: Date, what: string): Promise<Schedule> {
  const { id, enabled, template_kind, template_id } = schedule;
  await mustBeThere(db, { kind: template_kind, id: template_id }, what);
  const next = await nextRun(schedule.rrule, now);
  if (enabled && next === null) {
    throw new DispatcherError("usage", `Cannot ${what}: ${JSON.stringify(schedule.rrule)} never comes again`);
  }
  await row(
    db,
    scheduleSchema,
    "update awx.schedule set next_run = $2::timestamptz where id = $1::bigint returning *",
    [id, enabled ? next!.toISOString() : null],
  );
  return await byId(db, SCHEDULES, id);
}

/**
 * When a rule comes next; null when it does no more.
 *
 * @throws {DispatcherError} `usage`, naming the rule.
 */
export async function nextRun(rrule: string, after: Date): Promise<Date | null> {
  return (await rules()).nextOccurrence(rrule, after);
}

/** Loaded when it is needed: whoever runs jobs does not. */
async function rules() {
  return await import("../../scheduler/rrule.ts");
}

/** A schedule's columns with the rule as it is kept. @throws {DispatcherError} `usage` for one that cannot be read. */
export async function normal<T>(input: T): Promise<T> {
  const { rrule } = input as { rrule?: unknown };
  return typeof rrule === "string" ? { ...input, rrule: (await rules()).checkRrule(rrule) } : input;
}
