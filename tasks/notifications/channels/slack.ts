/**
 * What Slack's incoming webhooks take, and those of others that are like them.
 *
 * @module
 */
import type { NotificationEvent } from "../../jobs/model/notify.ts";
import type { SlackConfig } from "../configuration.ts";
import type { Channel } from "./channel.ts";
import { placeOf, sendJson } from "./http.ts";

const COLORS: Readonly<Record<NotificationEvent, string>> = {
  started: "#439fe0",
  success: "#2eb886",
  error: "#a30200",
};

/** A channel of Slack's. */
export function slackChannel({ url, channel, color, timeout }: SlackConfig): Channel {
  return {
    recipients: [channel ?? placeOf(url)],
    send: ({ message: { facts, subject, text }, signal }) =>
      sendJson({
        url,
        method: "POST",
        body: {
          ...(channel === undefined ? {} : { channel }),
          text: escaped(subject),
          attachments: [{
            color: color ?? COLORS[facts.event],
            fallback: escaped(subject),
            text: escaped(text),
            ...(facts.url === "" ? {} : { title: `Job ${facts.id}`, title_link: facts.url }),
          }],
        },
        seconds: timeout,
        signal,
      }),
  };
}

/** Slack reads `<…>` as a link or a mention; a job's name is neither. */
function escaped(text: string): string {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");
}
