/**
 * Why a message was not taken, in words that hold no secret.
 *
 * @module
 */

/** A delivery that failed; `permanent`: trying again would change nothing. */
export class DeliveryError extends Error {
  override name = "DeliveryError";
  readonly permanent: boolean;

  constructor(message: string, { permanent }: { permanent: boolean }) {
    super(message);
    this.permanent = permanent;
  }
}

const MOST_CHARACTERS = 300;
const HIDDEN = "[redacted]";
/** A shorter part of a URL is no token, and may stand anywhere. */
const SHORTEST = 4;

/**
 * One line of bounded length, without these secrets in it, plain or as they are written in a URL or in base64.
 *
 * @param cut The text was cut, so that at its end there may be a piece of a secret, which nobody knows for one: as much as
 * the longest has is left out there.
 */
export function withoutSecrets(
  text: string,
  secrets: readonly (string | undefined)[],
  cut = false,
): string {
  const forms = secrets.filter((secret) => secret !== undefined && secret !== "")
    .flatMap((secret) => [secret!, encodeURIComponent(secret!), base64(secret!)])
    .sort((a, b) => b.length - a.length);
  let shown = text;
  for (const form of forms) shown = shown.replaceAll(form, HIDDEN);
  if (cut && forms.length > 0) shown = shown.slice(0, Math.max(0, shown.length - forms[0].length));
  // deno-lint-ignore no-control-regex
  shown = shown.replace(/[\u0000-\u001f\u007f\s]+/g, " ").trim();
  return shown.length <= MOST_CHARACTERS ? shown : `${shown.slice(0, MOST_CHARACTERS)}…`;
}

function base64(text: string): string {
  return btoa(String.fromCharCode(...new TextEncoder().encode(text)));
}

/** The secrets of a URL: all but where it leads. */
export function secretsOf(url: string): string[] {
  const { username, password, pathname, search } = new URL(url);
  const parts = [...pathname.split("/"), ...new URLSearchParams(search).values()]
    .filter((part) => part.length >= SHORTEST);
  const whole = [url, `${pathname}${search}`, pathname, search].filter((part) => part !== "/");
  return [...whole, username, password, ...parts].flatMap((part) => [part, decoded(part)]);
}

function decoded(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}

/** The words of an error of the network: its code where it has one, since messages name addresses. */
export function networkReason(error: unknown): string {
  for (let at = error, depth = 0; at instanceof Error && depth < 5; at = at.cause, depth++) {
    const { code, name } = at as Error & { code?: unknown };
    if (typeof code === "string") return code;
    if (name === "TimeoutError") return "it did not answer in time";
  }
  return error instanceof Error ? error.message.replace(/\(?https?:\/\/\S+/g, "") : "it cannot be reached";
}
