/**
 * Mail over SMTP, one message a recipient: what becomes of it is then known for each.
 *
 * @module
 */
import { createTransport } from "nodemailer";
import type { EmailConfig } from "../configuration.ts";
import { DeliveryError, withoutSecrets } from "../failure.ts";
import type { Channel, Delivery } from "./channel.ts";

/** A channel to the recipients of a mail. */
export function emailChannel(config: EmailConfig): Channel {
  return { recipients: config.recipients, send: (delivery) => sendMail(config, delivery) };
}

async function sendMail(config: EmailConfig, { recipient, message, key, signal }: Delivery): Promise<void> {
  const transport = createTransport({
    host: config.host,
    port: config.port,
    secure: config.use_ssl,
    requireTLS: config.use_tls,
    // Who wants neither may have a certificate that nobody can check.
    ignoreTLS: !config.use_tls && !config.use_ssl,
    auth: config.username === undefined ? undefined : { user: config.username, pass: config.password ?? "" },
    connectionTimeout: config.timeout * 1000,
    greetingTimeout: config.timeout * 1000,
    socketTimeout: config.timeout * 1000,
    disableFileAccess: true,
    disableUrlAccess: true,
  });
  const stop = () => transport.close();
  signal.addEventListener("abort", stop);
  try {
    signal.throwIfAborted();
    await transport.sendMail({
      from: config.sender,
      to: recipient,
      subject: message.subject,
      text: message.text,
      // Who gets it twice shows it once.
      messageId: `<${key}@edge-dispatcher>`,
      headers: { "Auto-Submitted": "auto-generated", "X-AWX-Job": `${message.facts.id}` },
    });
  } catch (error) {
    signal.throwIfAborted();
    throw failureOf(error, config);
  } finally {
    signal.removeEventListener("abort", stop);
    transport.close();
  }
}

/** A reply of 500 and above is the server's last word; 400 to 499, or none, may be another one later. */
function failureOf(error: unknown, { host, port, username, password }: EmailConfig): DeliveryError {
  const { message, code, responseCode } = error as Error & { code?: string; responseCode?: number };
  const permanent = responseCode !== undefined && responseCode >= 500;
  const reason = withoutSecrets(`${code ? `${code}: ` : ""}${message}`, [
    password,
    // As AUTH PLAIN has it.
    username === undefined ? undefined : `\u0000${username}\u0000${password ?? ""}`,
  ]);
  return new DeliveryError(`SMTP server ${host}:${port}: ${reason}`, { permanent });
}
