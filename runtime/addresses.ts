/**
 * What a database's address says without connecting to it.
 *
 * @module
 */

/** What stands between the credentials and the path: a host, or several. */
const HOSTS = /^postgres(?:ql)?:\/\/(?:[^@/?]*@)?([^/?]*)/;

/** `HOST:PORT` of each server that an address names. */
export function serversOf(url: string): string[] {
  const hosts = HOSTS.exec(url)?.[1] || "localhost";
  return hosts.split(",").map((host) => /:\d+$/.test(host) ? host : `${host}:5432`);
}
