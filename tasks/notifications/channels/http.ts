/**
 * One request with a JSON body, and what its answer means.
 *
 * @module
 */
import { DeliveryError, networkReason, secretsOf, withoutSecrets } from "../failure.ts";

/** A request. */
export interface Request {
  url: string;
  method: "POST" | "PUT";
  headers?: Record<string, string>;
  body: unknown;
  /** What must not be in an error besides the URL. */
  secrets?: readonly (string | undefined)[];
  seconds: number;
  signal: AbortSignal;
}

/** Answers that ask for another try. */
const TRANSIENT: ReadonlySet<number> = new Set([408, 425, 429]);
/** Of an answer, in an error. */
const MOST_READ = 4_000;

/** Where a URL leads, without what may be secret: credentials, path and query. */
export function placeOf(url: string): string {
  return new URL(url).origin;
}

/**
 * Send it.
 *
 * @throws {DeliveryError} `permanent` for 3xx and for 4xx but {@link TRANSIENT}; others may be tried again.
 */
export async function sendJson(request: Request): Promise<void> {
  const { method, url, headers, body, seconds, signal } = request;
  const target = new URL(url);
  // fetch() refuses a URL with credentials in it; they travel as what they stand for.
  const own = basicAuthorization(decodeURIComponent(target.username), decodeURIComponent(target.password));
  target.username = target.password = "";
  const secrets = [...secretsOf(url), ...request.secrets ?? []];
  let response: Response;
  try {
    response = await fetch(target, {
      method,
      headers: { "content-type": "application/json", "user-agent": "edge-dispatcher", ...own, ...headers },
      body: JSON.stringify(body),
      // A redirect would make a GET of it, and carry it to where nobody said.
      redirect: "manual",
      signal: AbortSignal.any([signal, AbortSignal.timeout(seconds * 1000)]),
    });
  } catch (error) {
    signal.throwIfAborted();
    throw new DeliveryError(`${placeOf(url)}: ${withoutSecrets(networkReason(error), secrets)}`, {
      permanent: false,
    });
  }
  const { text, cut } = await beginningOf(response).catch(() => ({ text: "", cut: false }));
  if (response.ok) return;
  const { status } = response;
  const reason = `answered ${status} ${withoutSecrets(text, secrets, cut)}`.trim();
  throw new DeliveryError(`${placeOf(url)}: ${reason}`, {
    permanent: status < 500 && !TRANSIENT.has(status),
  });
}

/** The header for a user and a password; none without a user. */
export function basicAuthorization(
  user: string | undefined,
  password: string | undefined,
): Record<string, string> {
  if (!user) return {};
  const bytes = new TextEncoder().encode(`${user}:${password ?? ""}`);
  return { authorization: `Basic ${btoa(String.fromCharCode(...bytes))}` };
}

/** As much as an error may show; an endless answer is not read to its end. */
async function beginningOf(response: Response): Promise<{ text: string; cut: boolean }> {
  const decoder = new TextDecoder();
  let text = "";
  for await (const chunk of response.body ?? []) {
    text += decoder.decode(chunk, { stream: true });
    if (text.length > MOST_READ) return { text: text.slice(0, MOST_READ), cut: true };
  }
  return { text, cut: false };
}
