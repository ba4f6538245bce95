/**
 * The schedules of scope node, as a node's row has them and as they are listed.
 *
 * @module
 */
import type { NodeScheduleRow, ScheduleRow } from "../schedule.ts";
import type { Row } from "./statements.ts";

/** What a node's row has of them; whoever takes the name with an earlier release leaves it there, so it has its owner. */
export function toldOf(instance: string, schedules: NodeScheduleRow[]): string {
  return JSON.stringify({ instance, schedules: schedules.map((schedule) => JSON.stringify(schedule)) });
}

/** As they are listed, by name. */
export function nodeScheduleRows(rows: Row[]): ScheduleRow[] {
  const unknown = { kwargs: {}, queue: "", next_at: null, last_at: null, last_uuid: null };
  return rows.map(({ told, nodes }): ScheduleRow => {
    return { ...JSON.parse(told) as NodeScheduleRow, ...unknown, scope: "node", nodes };
  }).sort((a, b) => a.name < b.name ? -1 : 1);
}
