/**
 * The environment of what a job runs: what programs need to find their way, and nothing of ours. The node's own has
 * the database's address and the key of all credentials.
 *
 * @module
 */
import process from "node:process";

const KEPT =
  /^(PATH|HOME|USER|LOGNAME|LANG|LC_\w+|TZ|TMPDIR|SHELL|SSL_CERT_\w+|REQUESTS_CA_BUNDLE|GIT_SSL_CAINFO|VIRTUAL_ENV|PYENV_\w+|ANSIBLE_\w+|(https?|no|all)_proxy)$/i;

/** Variables for a program; those given go over those of the node. */
export function environment(more: Readonly<Record<string, string>> = {}): Record<string, string> {
  const kept = Object.entries(process.env).filter(([name, value]) => value !== undefined && KEPT.test(name));
  return {
    PATH: "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    // Ansible refuses to run with another encoding.
    LANG: "C.UTF-8",
    ...Object.fromEntries(kept) as Record<string, string>,
    TERM: "dumb",
    PYTHONUNBUFFERED: "1",
    ...more,
  };
}
