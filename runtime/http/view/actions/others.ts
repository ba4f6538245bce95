/**
 * What can be done to queues, nodes, schedules and groups of failures.
 *
 * @module
 */
import type { Client } from "../../../client.ts";
import { DispatcherError } from "../../../errors.ts";
import { html } from "../bits.ts";
import { number, plural } from "../format.ts";
import type { Deed, Fields } from "./action.ts";

export const queueDeeds: Record<string, Deed> = {
  pause: pausing("pause"),
  resume: pausing("resume"),
  purge: {
    action: "purge",
    target: (fields) => fields.need("queue"),
    async ask(client, fields) {
      const queue = fields.need("queue");
      const row = (await client.look.queues()).find((one) => one.queue === queue);
      const waiting = (row?.available ?? 0) + (row?.scheduled ?? 0) + (row?.retryable ?? 0);
      return {
        title: `Purge queue ${queue}`,
        text: html`<p>Cancels all that waits in queue <b>${queue}</b> now: <b>${
          plural(waiting, "envelope")
        }</b>. What runs goes on.</p>`,
        button: "Purge",
        fields: { queue },
        typed: queue,
      };
    },
    async run(client, fields) {
      const queue = fields.need("queue");
      const purged = await client.purgeQueue(queue);
      return { value: `Purged queue "${queue}": cancelled ${plural(purged, "envelope")}`, count: purged };
    },
  },
};

function pausing(verb: "pause" | "resume"): Deed {
  return {
    action: verb,
    target: (fields) => fields.need("queue"),
    async run(client, fields) {
      const queue = fields.need("queue");
      const changed = verb === "pause" ? await client.pauseQueue(queue) : await client.resumeQueue(queue);
      const already = changed ? "" : " already";
      const value = verb === "pause"
        ? `Queue "${queue}" is paused${already}`
        : `Queue "${queue}" goes on${already}`;
      return { value, count: Number(changed) };
    },
  };
}

/** Seconds that a node has to answer. */
const ANSWER_SECONDS = 3;

/** @throws {DispatcherError} `unavailable` or `refused`, with what the node said. */
async function tell(client: Client, node: string, command: string, data?: Record<string, unknown>) {
  const [reply] = await client.control(command, data, {
    channel: node,
    timeout: ANSWER_SECONDS,
    expected: 1,
  });
  if (!reply) {
    throw new DispatcherError("unavailable", `Node "${node}" did not answer within ${ANSWER_SECONDS} s`);
  }
  if (typeof reply.error === "string") {
    throw new DispatcherError("refused", `Node "${node}" refused: ${reply.error}`);
  }
  return reply;
}

const nodeTarget = (fields: Fields) => fields.need("node");

export const nodeDeeds: Record<string, Deed> = {
  drain: {
    action: "drain",
    target: nodeTarget,
    ask(_client, fields) {
      const node = fields.need("node");
      const text =
        html`<p>Node <b>${node}</b> takes no new work, and stays. What runs there goes on; it can be told to claim again.</p>`;
      return Promise.resolve({ title: `Drain node ${node}`, text, button: "Drain", fields: { node } });
    },
    async run(client, fields) {
      const node = fields.need("node");
      await tell(client, node, "drain");
      return { value: `Node "${node}" drains` };
    },
  },
  resume: {
    action: "drain",
    target: nodeTarget,
    async run(client, fields) {
      const node = fields.need("node");
      await tell(client, node, "resume");
      return { value: `Node "${node}" claims again`, detail: { draining: false } };
    },
  },
  scale: {
    action: "scale",
    target: nodeTarget,
    async run(client, fields) {
      const node = fields.need("node");
      const [min, max] = [slotsOf(fields, "min"), slotsOf(fields, "max")];
      if (max < min) {
        throw new DispatcherError(
          "usage",
          `Cannot scale "${node}" to ${min}..${max}: the most is below the least`,
        );
      }
      await tell(client, node, "scale", { min, max });
      return {
        value: `Node "${node}" has ${min} to ${max} slots until it starts again`,
        detail: { min, max },
      };
    },
  },
  log_level: {
    action: "log_level",
    target: nodeTarget,
    async run(client, fields) {
      const [node, level] = [fields.need("node"), fields.need("level")];
      await tell(client, node, "set_log_level", { level });
      return { value: `Node "${node}" logs ${level} and above until it starts again`, detail: { level } };
    },
  },
};

function slotsOf(fields: Fields, name: "min" | "max"): number {
  const text = fields.need(name);
  const slots = Number(text);
  if (Number.isInteger(slots) && slots >= 1 && slots <= 1_000) return slots;
  throw new DispatcherError(
    "usage",
    `Cannot scale to ${name} "${text}": it is no number of slots from 1 to 1000`,
  );
}

export const scheduleDeeds: Record<string, Deed> = {
  run: {
    action: "schedule_run",
    target: (fields) => fields.need("schedule"),
    async run(client, fields) {
      const name = fields.need("schedule");
      const { uuid } = await client.runSchedule(name);
      return { value: `Published what schedule "${name}" publishes: ${uuid}`, detail: { uuid } };
    },
  },
  pause: enabling("schedule_pause", false),
  resume: enabling("schedule_resume", true),
};

function enabling(action: "schedule_pause" | "schedule_resume", enabled: boolean): Deed {
  return {
    action,
    target: (fields) => fields.need("schedule"),
    async run(client, fields) {
      const name = fields.need("schedule");
      await client.enableSchedule(name, enabled);
      return { value: `Schedule "${name}" ${enabled ? "goes on from now" : "is paused"}` };
    },
  };
}

const groupOf = (fields: Fields) => ({
  task: fields.need("task"),
  error: fields.need("error"),
  message: fields.get("message") ?? "",
});
const RETRY_BATCH = 500;

export const failureDeeds: Record<string, Deed> = {
  retry: {
    action: "retry",
    target: (fields) => `failures of ${fields.need("task")}: ${fields.need("error")}`,
    async ask(client, fields) {
      const group = groupOf(fields);
      const { length } = await client.look.failed(group);
      return {
        title: `Retry ${plural(length, "envelope")}`,
        text:
          html`<p>Brings back what was discarded of <span class="mono">${group.task}</span> for <b>${group.error}</b> ${group.message}, with a new allowance of attempts.</p>`,
        button: `Retry ${number(length)}`,
        fields: group,
        nothing: length === 0,
      };
    },
    async run(client, fields) {
      const uuids = await client.look.failed(groupOf(fields));
      let retried = 0;
      for (let at = 0; at < uuids.length; at += RETRY_BATCH) {
        const done = await client.retry(uuids.slice(at, at + RETRY_BATCH));
        retried += done.filter(({ did }) => did === "retried" || did === "blocked").length;
      }
      return { value: `Retried ${plural(retried, "envelope")}`, count: retried };
    },
  },
};
