/**
 * Take a node out of the choice, bring it back, and say how much of it jobs may take.
 *
 * @module
 */
import { DispatcherError } from "edge-dispatcher";
import type { Deed, Fields } from "edge-dispatcher/view";
import { notFound } from "../../jobs/model/rows.ts";
import { trigger } from "../../jobs/model/trigger.ts";

const target = (fields: Fields) => `instance ${fields.need("instance")}`;

export const instanceDeeds: Record<string, Deed> = {
  enable: enabling("enable"),
  disable: enabling("disable"),
  adjust: {
    action: "awx.instance.adjust",
    target,
    async run(client, fields) {
      const hostname = fields.need("instance");
      const adjustment = adjustmentOf(fields);
      // What the heartbeat makes of it, now: between the smaller and the larger of both capacities.
      await change(client, hostname, ADJUST, adjustment);
      return {
        value: `Instance "${hostname}" has capacity adjustment ${adjustment}`,
        detail: { adjustment },
      };
    },
  },
};

const ADJUST = `update awx.instance set capacity_adjustment = $2::numeric,
    capacity = case when capacity = 0 then 0 else floor(least(cpu_capacity, mem_capacity)
      + abs(cpu_capacity - mem_capacity) * $2::numeric)::int end
  where hostname = $1::text returning hostname`;
/** Its next heartbeat brings the capacity back: the node alone knows whether it drains. */
const ENABLE =
  `update awx.instance set enabled = $2::boolean, capacity = case when $2::boolean then capacity else 0 end
  where hostname = $1::text returning hostname`;

function enabling(verb: "enable" | "disable"): Deed {
  return {
    action: `awx.instance.${verb}`,
    target,
    async run(client, fields) {
      const hostname = fields.need("instance");
      await change(client, hostname, ENABLE, verb === "enable");
      return {
        value: verb === "enable"
          ? `Instance "${hostname}" is given jobs again from its next heartbeat on`
          : `Instance "${hostname}" is given no more jobs; what runs there goes on`,
      };
    },
  };
}

/** Change a node and have the managers look. @throws {DispatcherError} `not_found` */
async function change(
  client: Parameters<Deed["run"]>[0],
  hostname: string,
  statement: string,
  value: number | boolean,
): Promise<void> {
  await client.transaction(async (tx, publish) => {
    const changed = await tx.unsafe(statement, [hostname, value]);
    if (changed.length === 0) throw notFound("instance", hostname);
    await trigger(publish, ["task"]);
  });
}

function adjustmentOf(fields: Fields): number {
  const text = fields.need("adjustment");
  const adjustment = Number(text);
  if (text.trim() !== "" && adjustment >= 0 && adjustment <= 1) return adjustment;
  throw new DispatcherError("usage", `Cannot adjust the capacity by "${text}": it is no number from 0 to 1`);
}
