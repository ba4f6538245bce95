/**
 * What can be done to a job, as buttons.
 *
 * @module
 */
import { askButton, formButton, type Html, html, type PageContext, when } from "edge-dispatcher/view";
import { isFinal, type UnifiedJob } from "../jobs/model/unified_job.ts";

/** Cancel what is open; launch again what has ended. */
export function jobActions({ to, csrf, here }: PageContext, job: UnifiedJob): Html {
  const { id, status, cancel_flag, kind } = job;
  const fields = { job: `${id}`, back: here };
  if (!isFinal(status)) {
    return when(
      !cancel_flag,
      () =>
        html`<div class="actions">${
          askButton(
            to(`/ask/job/cancel?${new URLSearchParams(fields)}`),
            "Cancel…",
            `Cancel job ${id}`,
            "danger",
          )
        }</div>`,
    );
  }
  const again = formButton({
    action: to("/act/job/relaunch"),
    label: "Relaunch",
    about: `Relaunch job ${id}`,
    csrf,
    fields,
  });
  const failed = when((kind === "job" || kind === "ad_hoc_command") && status === "failed", () =>
    askButton(
      to(`/ask/job/relaunch_failed?${new URLSearchParams(fields)}`),
      "Relaunch on failed hosts…",
      `Relaunch on failed hosts: job ${id}`,
    ));
  return html`<div class="actions">${again}${failed}</div>`;
}
