/**
 * A database at several addresses, as `postgres://me@one:5432,two:5432/app`: which of them to connect to.
 *
 * All connections of a process go to the same one, the first at the start, until a connection to it cannot be made or
 * it says that it is read-only; then to the next. The client knows of one address only: told of several it swallows the
 * errors of connecting, and tries again without a rest while none of them answers (postgres 3.4.9).
 *
 * @module
 */

const SCHEME = /^postgres(ql)?:\/\//;
/** Scheme and credentials, the hosts, the rest. */
const PARTS = /^(postgres(?:ql)?:\/\/(?:[^@/?]*@)?)([^/?]*)(.*)$/;

/** Where to connect. */
export interface Host {
  host: string;
  port: number;
}

/** The URL with only the first of its hosts, which is what a URL can be read as. */
export function firstHostOf(url: string): string {
  const [, before, hosts, rest] = PARTS.exec(url) ?? [];
  return hosts?.includes(",") ? before + hosts.split(",")[0] + rest : url;
}

// Which of a URL's hosts serves, for all pools of this process; written by leave().
const serving = new Map<string, number>();

/** The hosts of one URL; none where the client reads it by itself, as of a Unix socket. */
export class Hosts {
  readonly #key: string;
  /** Empty where the URL has one only. */
  readonly all: readonly Host[];

  constructor(url: string) {
    const hosts = SCHEME.test(url) ? PARTS.exec(url)![2] : "";
    this.#key = hosts;
    this.all = hosts.includes(",") ? hosts.split(",").map(hostOf) : [];
  }

  /** The one to connect to, and its number; undefined where the URL has not several. */
  pick(): Host & { at: number } | undefined {
    if (this.all.length === 0) return undefined;
    const at = serving.get(this.#key) ?? 0;
    return { ...this.all[at], at };
  }

  /** That one does not serve: the next connection goes to another. A second complaint of the same changes nothing. */
  leave(at: number): void {
    if ((serving.get(this.#key) ?? 0) === at) serving.set(this.#key, (at + 1) % this.all.length);
  }
}

function hostOf(text: string): Host {
  const [, host, port] = /^(.*?)(?::(\d+))?$/.exec(text)!;
  return { host: decodeURIComponent(host).replace(/^\[|\]$/g, ""), port: Number(port ?? 5432) };
}
