/**
 * Tells all who are to be told of one event of a job, as far as they have not been told, and keeps what became of each.
 *
 * @module
 */
import { createHash } from "node:crypto";
import { DispatcherError } from "edge-dispatcher";
import type { Db } from "../jobs/model/rows.ts";
import { open } from "../jobs/model/secrets.ts";
import type { Channel } from "./channels/channel.ts";
import { channelOf } from "./channels/of.ts";
import { readConfiguration } from "./configuration.ts";
import { DeliveryError } from "./failure.ts";
import { type Message, messageOf, type Told } from "./message.ts";
import {
  type Attached,
  attachedTo,
  expect,
  failures,
  type Outcome,
  pending,
  type Which,
  writeOutcome,
} from "./outcomes.ts";

/** Messages under way at once. */
const AT_ONCE = 5;

/** How to tell. */
export interface Delivering {
  /** No try follows this one. */
  last: boolean;
  signal: AbortSignal;
}

/** What one try has come to. */
export interface Delivered {
  sent: number;
  /** To be tried again; with reasons. */
  again: string[];
  /** Given up, by this try or one before; with reasons. */
  failed: string[];
}

/** Tell them. */
export async function deliver(db: Db, told: Told, { last, signal }: Delivering): Promise<Delivered> {
  const which: Which = { jobId: told.job.id, event: told.event };
  const channels = new Map<number, Channel>();
  for (const template of await attachedTo(db, told.job, told.event)) {
    const channel = await channelFor(template);
    channels.set(template.id, channel);
    await expect(db, which, template.id, channel.recipients);
  }
  const message = messageOf(told);
  const delivered: Delivered = { sent: 0, again: [], failed: [] };
  const tryOne = async (row: Outcome) => {
    const failure = await send(channels.get(row.notification_template_id), row, message, which, signal);
    const given = failure && (failure.permanent || last);
    await writeOutcome(db, row.id, failure ? given ? "failed" : "pending" : "successful", failure?.message);
    if (!failure) delivered.sent++;
    else if (!given) delivered.again.push(`${row.recipient}: ${failure.message}`);
  };
  const due = await pending(db, which);
  for (let i = 0; i < due.length; i += AT_ONCE) {
    signal.throwIfAborted();
    // What was taken is written down, whatever becomes of the others.
    const ends = await Promise.allSettled(due.slice(i, i + AT_ONCE).map(tryOne));
    for (const end of ends) if (end.status === "rejected") throw end.reason;
  }
  return { ...delivered, failed: await failures(db, which) };
}

async function send(
  channel: Channel | undefined,
  { recipient, notification_template_id }: Outcome,
  message: Message,
  which: Which,
  signal: AbortSignal,
): Promise<DeliveryError | undefined> {
  if (!channel?.recipients.includes(recipient)) {
    return new DeliveryError("It is not to be told any more", { permanent: true });
  }
  const key = keyOf([which.jobId, which.event, notification_template_id, recipient]);
  try {
    await channel.send({ recipient, message, key, signal });
  } catch (error) {
    if (error instanceof DeliveryError) return error;
    // Its words are not known to be without secrets.
    signal.throwIfAborted();
    return new DeliveryError(`${(error as Error).name} in the channel`, { permanent: false });
  }
}

/** The same message has the same key, whoever sends it, and however often. */
function keyOf(parts: readonly unknown[]): string {
  return createHash("sha256").update(JSON.stringify(parts)).digest("hex").slice(0, 32);
}

/** A template that cannot be read has one recipient, who cannot be reached: the reason is kept with the others. */
async function channelFor({ id, kind, configuration }: Attached): Promise<Channel> {
  try {
    const read = readConfiguration(kind, open(configuration, `notification_template:${id}`));
    return typeof read === "string"
      ? unusable(`Cannot use its configuration: ${read}`)
      : await channelOf(read);
  } catch (error) {
    if (error instanceof DispatcherError) return unusable(error.message);
    throw error;
  }
}

function unusable(why: string): Channel {
  return {
    recipients: ["configuration"],
    send: () => Promise.reject(new DeliveryError(why, { permanent: true })),
  };
}
