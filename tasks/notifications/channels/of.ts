/**
 * The channel of a notification template.
 *
 * @module
 */
import type { Configuration } from "../configuration.ts";
import type { Channel } from "./channel.ts";
import { slackChannel } from "./slack.ts";
import { webhookChannel } from "./webhook.ts";

/** Make it; what sends mail is loaded by the first that does. */
export async function channelOf({ kind, config }: Configuration): Promise<Channel> {
  if (kind === "email") return (await import("./email.ts")).emailChannel(config);
  return kind === "slack" ? slackChannel(config) : webhookChannel(config);
}
