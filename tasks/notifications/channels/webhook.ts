/**
 * Any webhook: the facts of the job as JSON.
 *
 * @module
 */
import type { WebhookConfig } from "../configuration.ts";
import type { Channel } from "./channel.ts";
import { basicAuthorization, placeOf, sendJson } from "./http.ts";

/** A channel to a URL. */
export function webhookChannel(config: WebhookConfig): Channel {
  const { url, http_method: method, headers, username, password, timeout } = config;
  return {
    recipients: [placeOf(url)],
    send: ({ message: { facts, subject }, key, signal }) =>
      sendJson({
        url,
        method,
        headers: { "idempotency-key": key, ...basicAuthorization(username, password), ...headers },
        body: { subject, ...facts },
        secrets: [password, ...Object.values(headers)],
        seconds: timeout,
        signal,
      }),
  };
}
