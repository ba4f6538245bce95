/**
 * When somebody is told of a job: of its start by whoever runs it; of its end by the second of the two things that both
 * must have happened, its verdict and the end of its events, since a message that is sent between them would lack one.
 *
 * @module
 */
import { createHash } from "node:crypto";
import type { Publish } from "./trigger.ts";
import type { FinalStatus } from "./unified_job.ts";

export const NOTIFICATION_EVENTS = ["started", "success", "error"] as const;
export type NotificationEvent = (typeof NOTIFICATION_EVENTS)[number];
export const SEND_NOTIFICATIONS = "notifications/send_notifications";

/** The uuid of the envelope that tells of it: whoever publishes it again changes nothing. */
export function notificationUuid(jobId: number, event: NotificationEvent): string {
  const hex = createHash("sha256").update(`awx.notification:${jobId}:${event}`).digest("hex");
  const variant = (parseInt(hex[16], 16) & 0x3 | 0x8).toString(16);
  return [
    hex.slice(0, 8),
    hex.slice(8, 12),
    `8${hex.slice(13, 16)}`,
    variant + hex.slice(17, 20),
    hex.slice(20, 32),
  ].join("-");
}

/** What the end of a job is called. */
export function eventOf(status: FinalStatus): NotificationEvent {
  return status === "successful" ? "success" : "error";
}

/** Have it told. */
export async function notify(publish: Publish, jobId: number, event: NotificationEvent): Promise<void> {
  await publish(SEND_NOTIFICATIONS, [jobId, event], { uuid: notificationUuid(jobId, event), maxAttempts: 6 });
}
