/**
 * What a notification template holds, by its kind. At rest it is sealed: passwords are in it, and the URL of a webhook is
 * often a secret itself.
 *
 * @module
 */
import { z } from "zod";

// deno-lint-ignore no-control-regex
const line = z.string().min(1).max(4_096).regex(/^[^\u0000-\u001f\u007f]*$/, "it has a control character");
const address = line.regex(/^[^\s@<>,;]+@[^\s@<>,;]+$/, "it is no address such as ops@example.com");
const webUrl = z.url({ protocol: /^https?$/, error: "it is no http or https URL" });
const headerName = z.string().regex(/^[\w!#$%&'*+.^`|~-]+$/, "it is no name of a header");
/** Seconds that one message may take. */
const timeout = z.number().min(0.1).max(120).default(30);

/** A mail to each recipient, over SMTP. */
const email = z.strictObject({
  host: line,
  port: z.int().min(1).max(65_535).default(25),
  username: line.optional(),
  password: z.string().optional(),
  /** TLS from the first byte. */
  use_ssl: z.boolean().default(false),
  /** TLS after STARTTLS, or not at all. */
  use_tls: z.boolean().default(false),
  /** An address, or `Name <address>`. */
  sender: line,
  recipients: z.array(address).min(1, "an email needs a recipient").max(1_000),
  timeout,
}).refine(({ use_ssl, use_tls }) => !(use_ssl && use_tls), {
  message: "it is use_ssl or use_tls, not both",
  path: ["use_tls"],
});

/** A webhook that takes what Slack's take. */
const slack = z.strictObject({
  url: webUrl,
  channel: line.optional(),
  /** Of the bar beside the text, by default what the event says. */
  color: z.string().regex(/^#[0-9a-f]{6}$/i, "it is no colour such as #2eb886").optional(),
  timeout,
});

/** Any other webhook; it is sent the job as JSON. */
const webhook = z.strictObject({
  url: webUrl,
  http_method: z.enum(["POST", "PUT"]).default("POST"),
  headers: z.record(headerName, line).default({}),
  username: line.optional(),
  password: z.string().optional(),
  timeout,
});

/** The schema of each kind. */
export const notificationConfig = { email, slack, webhook } as const;
export type NotificationKind = keyof typeof notificationConfig;
export type EmailConfig = z.output<typeof email>;
export type SlackConfig = z.output<typeof slack>;
export type WebhookConfig = z.output<typeof webhook>;

/** A kind with what it holds, defaults filled in. */
export type Configuration =
  | { kind: "email"; config: EmailConfig }
  | { kind: "slack"; config: SlackConfig }
  | { kind: "webhook"; config: WebhookConfig };

/** Check what a template holds. The text says which field is wrong and why, never a value. */
export function readConfiguration(kind: NotificationKind, value: unknown): Configuration | string {
  const parsed = notificationConfig[kind].safeParse(value);
  if (parsed.success) return { kind, config: parsed.data } as Configuration;
  const [{ path, message }] = parsed.error.issues;
  return path.length > 0 ? `${path.join(".")}: ${message}` : message;
}
