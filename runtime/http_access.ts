/**
 * Where HTTP is served and who may come in: the address and the credentials of a configuration.
 *
 * @module
 */
import { z } from "zod";

/** The address unless another is given. */
export const DEFAULT_HTTP = "127.0.0.1:8070";
/** Instead of an address: serve none. */
export const HTTP_OFF = "off";

/** A place to listen at. */
export interface HttpAddress {
  host: string;
  port: number;
}

/** Read `HOST:PORT`, `[::1]:PORT` or `PORT`; undefined when it is none of them. */
export function httpAddress(text: string): HttpAddress | undefined {
  const [, bracketed, plain, digits] = /^(?:(?:\[([0-9a-f:.]+)\]|([^:[\]\s]+)):)?(\d{1,5})$/i.exec(text) ??
    [];
  const port = Number(digits);
  if (digits === undefined || port > 65_535) return undefined;
  return { host: bracketed ?? plain ?? "127.0.0.1", port };
}

/** Whether only this machine reaches it. */
export function isLoopback(host: string): boolean {
  return host === "localhost" || host === "::1" || /^127(\.\d{1,3}){3}$/.test(host) ||
    host.toLowerCase() === "::ffff:127.0.0.1";
}

/** As it stands in a URL. */
export function addressText({ host, port }: HttpAddress): string {
  return host.includes(":") ? `[${host}]:${port}` : `${host}:${port}`;
}

/** What somebody may do: look, or act as well. */
export const ROLES = ["viewer", "operator"] as const;
export type Role = (typeof ROLES)[number];

const role = z.enum(ROLES).default("viewer");
const secret = z.string().min(8);

/** One way to come in. */
export const credentialSchema = z.discriminatedUnion("kind", [
  z.strictObject({ kind: z.literal("basic"), role, user: z.string().min(1), password: secret }),
  z.strictObject({
    kind: z.literal("bearer"),
    role,
    name: z.string().min(1).default("token"),
    token: secret,
  }),
  // A proxy that has asked who it is; taken at its word only from the addresses in `from`.
  z.strictObject({
    kind: z.literal("proxy"),
    role,
    header: z.string().regex(/^[\w-]+$/),
    from: z.array(z.union([z.ipv4(), z.ipv6(), z.cidrv4(), z.cidrv6()])).min(1).default(["127.0.0.1", "::1"]),
    operators: z.array(z.string()).default([]),
  }),
]);

/** One way to come in; a proxy's user has the role, or is among its operators. */
export type Credential =
  | { kind: "basic"; role: Role; user: string; password: string }
  | { kind: "bearer"; role: Role; name: string; token: string }
  | { kind: "proxy"; role: Role; header: string; from: string[]; operators: string[] };

/**
 * Read a credential as an environment variable has it: `basic:ROLE:USER:PASSWORD`, `bearer:ROLE:NAME:TOKEN`,
 * `proxy:ROLE:HEADER`. The last part may have colons.
 */
export function credentialOf(text: string): Record<string, unknown> {
  const [kind, role, third = "", ...rest] = text.split(":");
  const last = rest.join(":");
  if (kind === "basic") return { kind, role, user: third, password: last };
  if (kind === "bearer") return { kind, role, name: third, token: last };
  return { kind, role, header: third };
}

/** What is wrong with a credential in that form, without the secret; undefined when nothing is. */
export function credentialFault(text: string): string | undefined {
  const parsed = credentialSchema.safeParse(credentialOf(text));
  if (parsed.success) return undefined;
  const { path, message } = parsed.error.issues[0];
  return `a credential's ${path.join(".")} is not right: ${message}`;
}
