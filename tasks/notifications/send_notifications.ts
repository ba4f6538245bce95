/**
 * Tells of a job what its templates' notifications are to tell: that it started, succeeded, or did not. Published by the
 * control plane once an event of a job, with a uuid made of both.
 *
 * @module
 */
import process from "node:process";
import { Discard, Retry, task } from "edge-dispatcher";
import { z } from "zod";
import { NOTIFICATION_EVENTS, type NotificationEvent } from "../jobs/model/notify.ts";
import { jobById } from "../jobs/model/unified_job.ts";
import { deliver } from "./deliver.ts";

const MAX_ATTEMPTS = 6;
const TIMEOUT_SECONDS = 600;
/** 10 s, 40 s, 3 min, 11 min, 43 min: a mail server that is restarted, or out for lunch. */
const BACKOFF = { base: 10, factor: 4, max: 3_600, jitter: 0.2 };

const args = z.tuple([z.int(), z.enum(NOTIFICATION_EVENTS)]);

export default task(
  { bind: true, args, maxAttempts: MAX_ATTEMPTS, backoff: BACKOFF, timeout: TIMEOUT_SECONDS },
  async (context, jobId: number, event: NotificationEvent) => {
    const sql = await context.database();
    const job = await jobById(sql, jobId);
    const told = { job, event, baseUrl: process.env.AWX_BASE_URL };
    const last = context.attempt >= MAX_ATTEMPTS;
    const { sent, again, failed } = await deliver(sql, told, { last, signal: context.signal });
    const wrong = [...again, ...failed];
    if (wrong.length === 0) return { sent };
    const many = wrong.length === 1 ? "1 message was" : `${wrong.length} messages were`;
    const reason = `${many} not taken: ${wrong.join("; ")}`;
    throw again.length > 0 ? new Retry(reason) : new Discard(reason);
  },
);
