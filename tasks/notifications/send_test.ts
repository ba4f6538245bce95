/**
 * Sends a message by a notification template to all of its recipients, for whoever has set it up. Nothing of it is kept.
 *
 * @module
 */
import { task } from "edge-dispatcher";
import { z } from "zod";
import { notFound, row } from "../jobs/model/rows.ts";
import { open } from "../jobs/model/secrets.ts";
import { channelOf } from "./channels/of.ts";
import { type NotificationKind, readConfiguration } from "./configuration.ts";
import { DeliveryError } from "./failure.ts";
import type { Message } from "./message.ts";

const TIMEOUT_SECONDS = 60;

/** What became of it. The text holds no secret. */
export interface Tested {
  recipient: string;
  /** Empty where it was taken. */
  error: string;
}

const sealedSchema = z.object({
  name: z.string(),
  kind: z.enum(["email", "slack", "webhook"]),
  configuration: z.string(),
});
const SELECT = "select name, kind, configuration from awx.notification_template where id = $1::bigint";

export default task(
  { bind: true, maxAttempts: 1, timeout: TIMEOUT_SECONDS, args: z.tuple([z.int()]) },
  async (context, id: number): Promise<Tested[]> => {
    const sealed = await row(await context.database(), sealedSchema, SELECT, [id]);
    if (!sealed) throw notFound("notification template", id);
    const { name, kind, configuration } = sealed;
    const read = readConfiguration(
      kind as NotificationKind,
      open(configuration, `notification_template:${id}`),
    );
    if (typeof read === "string") return [{ recipient: "configuration", error: read }];
    const channel = await channelOf(read);
    const message = testMessage(name, context.node);
    const delivery = { message, key: context.uuid, signal: context.signal };
    return await Promise.all(channel.recipients.map(async (recipient) => {
      try {
        await channel.send({ ...delivery, recipient });
        return { recipient, error: "" };
      } catch (error) {
        context.signal.throwIfAborted();
        // The words of other errors are not known to be without secrets.
        const known = error instanceof DeliveryError
          ? error.message
          : `${(error as Error).name} in the channel`;
        return { recipient, error: known };
      }
    }));
  },
);

/** Like that of a job that was successful, which there is none of. */
function testMessage(name: string, node: string): Message {
  const subject = `Test of notification template "${name}"`;
  const now = new Date().toISOString();
  return {
    subject,
    text: `${subject}, sent by node ${node}. If you read this, it works.`,
    facts: {
      event: "success",
      id: 0,
      name: subject,
      kind: "test",
      status: "successful",
      launch_type: "manual",
      url: "",
      explanation: "",
      created: now,
      started: now,
      finished: now,
      elapsed: 0,
      execution_node: node,
      workflow_job_id: null,
      host_status_counts: null,
    },
  };
}
