/**
 * Credentials of a job: opened in the worker that runs it, handed over by file or environment. They are never among the
 * arguments of a program, which everybody on the machine sees, and are taken out of whatever the job prints.
 *
 * @module
 */
import { DispatcherError } from "edge-dispatcher";
import { z } from "zod";
import { type Db, list, rows } from "../model/rows.ts";
import { open } from "../model/secrets.ts";
import type { PrivateDir } from "./private_dir.ts";
import type { Redactor } from "./redact.ts";

const text = z.string().default("");
const key = { ssh_key: text, ssh_key_unlock: text };
const INPUTS = {
  machine: z.looseObject({
    username: text,
    password: text,
    ...key,
    become_method: text,
    become_username: text,
    become_password: text,
  }),
  scm: z.looseObject({ username: text, password: text, ...key }),
  vault: z.looseObject({ vault_password: text, vault_id: text }),
  env: z.record(z.string().regex(/^[A-Za-z_]\w*$/, "it is no name of a variable"), z.coerce.string()),
};
const SECRET_INPUTS = ["password", "ssh_key", "ssh_key_unlock", "become_password", "vault_password"];

const credentialSchema = z.object({
  id: z.int(),
  name: z.string(),
  kind: z.enum(["machine", "scm", "vault", "env"]),
  inputs: z.string(),
});

export type Machine = z.infer<typeof INPUTS.machine>;
export type Scm = z.infer<typeof INPUTS.scm>;
export type Vault = z.infer<typeof INPUTS.vault>;

/** Those of a job, opened, by kind. */
export interface Credentials {
  machine?: Machine;
  scm?: Scm;
  vaults: Vault[];
  env: Record<string, string>;
}

/**
 * Open credentials by their ids; their secrets are redacted from now on.
 *
 * @throws {DispatcherError} `config` when one does not open or lacks what its kind has; `not_found`.
 */
export async function openCredentials(
  db: Db,
  ids: readonly number[],
  redactor: Redactor,
): Promise<Credentials> {
  const opened: Credentials = { vaults: [], env: {} };
  if (ids.length === 0) return opened;
  const found = await rows(
    db,
    credentialSchema,
    "select id, name, kind, inputs from awx.credential where id = any($1::text::bigint[])",
    [list(ids)],
  );
  for (const id of ids) {
    const credential = found.find((row) => row.id === id);
    if (!credential) {
      throw new DispatcherError("not_found", `Cannot find credential ${id}, which the job needs`);
    }
    const schema: z.ZodType<Record<string, unknown>> = INPUTS[credential.kind];
    const inputs = checked(credential.name, schema.safeParse(open(credential.inputs, `credential:${id}`)));
    const isSecret = (name: string) => credential.kind === "env" || SECRET_INPUTS.includes(name);
    redactor.add(
      ...Object.entries(inputs).filter(([name]) => isSecret(name)).map(([, value]) => String(value)),
    );
    if (credential.kind === "machine") opened.machine = inputs as Machine;
    else if (credential.kind === "scm") opened.scm = inputs as Scm;
    else if (credential.kind === "vault") opened.vaults.push(inputs as Vault);
    else Object.assign(opened.env, inputs);
  }
  return opened;
}

/** The error names the place, not the value. */
function checked<T>(name: string, parsed: z.ZodSafeParseResult<T>): T {
  if (parsed.success) return parsed.data;
  const [{ path, message }] = parsed.error.issues;
  throw new DispatcherError("config", `Cannot use credential "${name}": ${path.join(".")}: ${message}`);
}

/** What a program is given besides its own arguments. */
export interface Given {
  args: string[];
  env: Record<string, string>;
}

/** A key as ssh reads it: the last line has an end. */
export function keyText({ ssh_key }: { ssh_key: string }): string {
  return ssh_key.endsWith("\n") ? ssh_key : `${ssh_key}\n`;
}

/**
 * A program that answers what ssh and git ask for: the passphrase of a key, a user's name, a password. It reads files,
 * so that no secret is in its text or environment.
 */
export async function askpass(
  dir: PrivateDir,
  answers: { username?: string; password?: string; unlock?: string },
): Promise<Record<string, string>> {
  for (const [name, answer] of Object.entries(answers)) await dir.file(`ask/${name}`, answer ?? "");
  const here = "'" + dir.at("ask").replaceAll("'", `'\\''`) + "'";
  const script = `#!/bin/sh
case $1 in
  *assphrase*) exec cat ${here}/unlock ;;
  *sername*) exec cat ${here}/username ;;
  *) exec cat ${here}/password ;;
esac
`;
  const program = await dir.file("ask/pass", script, 0o700);
  return { GIT_ASKPASS: program, SSH_ASKPASS: program, SSH_ASKPASS_REQUIRE: "force", DISPLAY: ":0" };
}

/** What ansible is given: files of passwords and of the key, and who connects. */
export async function ansibleGiven({ machine, vaults, env }: Credentials, dir: PrivateDir): Promise<Given> {
  const args: string[] = [];
  const more: Record<string, string> = {};
  if (machine) {
    const {
      username,
      password,
      become_method,
      become_username,
      become_password,
      ssh_key,
      ssh_key_unlock,
    } = machine;
    if (username) args.push("--user", username);
    if (become_method) args.push("--become-method", become_method);
    if (become_username) args.push("--become-user", become_username);
    if (password) args.push("--connection-password-file", await dir.file("secrets/password", password));
    if (become_password) {
      args.push("--become-password-file", await dir.file("secrets/become", become_password));
    }
    if (ssh_key) args.push("--private-key", await dir.file("secrets/key", keyText(machine)));
    if (ssh_key_unlock) Object.assign(more, await askpass(dir, { unlock: ssh_key_unlock }));
  }
  for (const [place, { vault_id, vault_password }] of vaults.entries()) {
    const file = await dir.file(`secrets/vault${place}`, vault_password);
    args.push("--vault-id", `${vault_id || "default"}@${file}`);
  }
  return { args, env: { ...more, ...env } };
}
