/**
 * Credentials: sealed when they are written, opened by what runs a job and by nobody else. Listings say which fields
 * are set.
 *
 * @module
 */
import { DispatcherError } from "edge-dispatcher";
import { z } from "zod";
import { type Db, notFound, row, rows } from "./rows.ts";
import { inWords } from "./said.ts";
import { open, seal } from "./secrets.ts";
import { byName, checked, locked, nameSchema, quoted, type Table } from "./table.ts";

const secret = z.string().max(1_000_000);
const field = secret.optional();

/** What each kind has. */
export const CREDENTIAL_INPUTS = {
  machine: z.strictObject({
    username: field,
    password: field,
    ssh_key: field,
    ssh_key_unlock: field,
    become_method: field,
    become_username: field,
    become_password: field,
  }),
  scm: z.strictObject({ username: field, password: field, ssh_key: field, ssh_key_unlock: field }),
  vault: z.strictObject({
    vault_id: z.string().regex(/^[\w.-]*$/, "a vault id has letters, digits, _ . - only").optional(),
    vault_password: secret.min(1, "a vault password is not empty"),
  }),
  env: z.record(
    z.string().regex(/^[A-Za-z_]\w*$/, "no name of an environment variable"),
    // deno-lint-ignore no-control-regex
    secret.regex(/^[^\u0000]*$/, "the environment holds no NUL"),
  ),
} as const;
export type CredentialKind = keyof typeof CREDENTIAL_INPUTS;
export const CREDENTIAL_KINDS = Object.keys(CREDENTIAL_INPUTS) as CredentialKind[];
export type CredentialInputs = Record<string, string | undefined>;

export const credentialSchema = z.object({
  id: z.int(),
  name: z.string(),
  kind: z.enum(["machine", "scm", "vault", "env"]),
  modified: z.string(),
});
/** A credential without what it holds. */
export type Credential = z.infer<typeof credentialSchema>;

/** For finding and deleting; see `table.ts`. */
export const CREDENTIALS: Table<Credential> = {
  kind: "credential",
  noun: "credential",
  row: credentialSchema,
  input: z.strictObject({ name: nameSchema }),
};

const draftSchema = z.strictObject({
  name: nameSchema,
  kind: credentialSchema.shape.kind,
  inputs: z.record(z.string(), z.unknown()),
});

/**
 * Make a credential. Call it in a transaction: it is sealed for its id, which the first statement gives.
 *
 * @throws {DispatcherError} `usage`, naming the field and never the value; `refused` for a name that is taken.
 *
 * @example
 * ```ts ignore
 * await client.transaction((tx) =>
 *   createCredential(tx, { name: "vault", kind: "vault", inputs: { vault_password: "…" } })
 * );
 * ```
 */
export async function createCredential(db: Db, draft: unknown): Promise<Credential> {
  const what = `create credential ${quoted((draft as { name?: unknown })?.name)}`;
  const { name, kind, inputs } = checked(draftSchema, draft, what, true);
  const checkedInputs = inputsOf(kind, inputs, what);
  const made = await inWords(what, {}, () =>
    row(
      db,
      credentialSchema,
      "insert into awx.credential (name, kind, inputs) values ($1::text, $2::text, '') returning *",
      [name, kind],
    ));
  return await write(db, made!.id, name, checkedInputs);
}

/**
 * Change a credential: its name, or inputs field by field; null takes a field away. Call it in a transaction.
 *
 * @throws {DispatcherError} `not_found`, `usage`, `refused`.
 */
export async function updateCredential(
  db: Db,
  id: number,
  patch: { name?: string; inputs?: Record<string, string | null> },
): Promise<Credential> {
  // Two who change different fields at once both keep theirs.
  await locked(db, CREDENTIALS, id);
  const now = await openCredential(db, id);
  const what = `update credential ${quoted(now.name)}`;
  const name = checked(nameSchema, patch.name ?? now.name, what);
  const merged = Object.entries({ ...now.inputs, ...patch.inputs }).filter(([, value]) => value !== null);
  return await inWords(
    what,
    {},
    () => write(db, id, name, inputsOf(now.kind, Object.fromEntries(merged), what)),
  );
}

/**
 * A credential with what it holds, for what runs a job.
 *
 * @throws {DispatcherError} `not_found`; `config` when it was sealed with another key.
 */
export async function openCredential(db: Db, id: number): Promise<Credential & { inputs: CredentialInputs }> {
  const found = await row(db, sealedSchema, "select * from awx.credential where id = $1::bigint", [id]);
  if (!found) throw notFound("credential", id);
  return { ...found, inputs: opened(found) };
}

/** A credential, and which of its fields are set; null where the key of this machine does not open it. */
export type ListedCredential = Credential & { fields: string[] | null };

/** All credentials by name. */
export async function listCredentials(db: Db): Promise<ListedCredential[]> {
  return (await rows(db, sealedSchema, "select * from awx.credential order by name")).map(listed);
}

/** The one of this name or id, without what it holds. @throws {DispatcherError} `not_found`. */
export async function credentialByName(db: Db, name: string): Promise<ListedCredential> {
  const { id } = await byName(db, CREDENTIALS, name);
  return listed((await row(db, sealedSchema, "select * from awx.credential where id = $1::bigint", [id]))!);
}

const sealedSchema = credentialSchema.extend({ inputs: z.string() });
type Sealed = z.infer<typeof sealedSchema>;

function listed(sealed: Sealed): ListedCredential {
  const { inputs: _, ...credential } = sealed;
  try {
    const fields = Object.entries(opened(sealed)).filter(([, value]) => value !== undefined && value !== "");
    return { ...credential, fields: fields.map(([name]) => name).sort() };
  } catch (error) {
    if (!(error instanceof DispatcherError)) throw error;
    return { ...credential, fields: null };
  }
}

function opened({ id, inputs }: Sealed): CredentialInputs {
  return open(inputs, `credential:${id}`) as CredentialInputs;
}

function inputsOf(kind: CredentialKind, inputs: unknown, what: string): CredentialInputs {
  const known: CredentialInputs = checked(
    CREDENTIAL_INPUTS[kind] as z.ZodType<CredentialInputs>,
    inputs,
    what,
    true,
  );
  if (Object.values(known).every((value) => value === undefined || value === "")) {
    const fields = kind === "env" ? "NAME: value" : Object.keys(CREDENTIAL_INPUTS[kind].shape).join(", ");
    throw new DispatcherError("usage", `Cannot ${what}: nothing is set; kind ${kind} has ${fields}`);
  }
  return known;
}

async function write(db: Db, id: number, name: string, inputs: CredentialInputs): Promise<Credential> {
  const written = await row(
    db,
    credentialSchema,
    `update awx.credential set name = $2::text, inputs = $3::text, modified = clock_timestamp()
     where id = $1::bigint returning *`,
    [id, name, seal(inputs, `credential:${id}`)],
  );
  if (!written) throw notFound("credential", id);
  return written;
}
