// @runtimes node
/** Credentials reach programs by file and environment, and nothing else of the job. */
import assert from "node:assert/strict";
import { createHash, randomUUID } from "node:crypto";
import { chmodSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { tempDir, test } from "../../harness.ts";
import { seal } from "../../../tasks/jobs/model/secrets.ts";
import { jobById } from "../../../tasks/jobs/model/unified_job.ts";
import { runJob } from "../../../tasks/jobs/run/job.ts";
import { perform } from "../../../tasks/jobs/run/perform.ts";
import type { AwxDatabase } from "../database.ts";
import { contextOf, NEVER, place, waiting } from "./alone.ts";

const KEY =
  "-----BEGIN OPENSSH PRIVATE KEY-----\nb3BlbnNzaC1rZXkt\ndjEAAAAABG5vbmU\n-----END OPENSSH PRIVATE KEY-----";
const MACHINE = {
  username: "root",
  password: "pass-of-ann",
  ssh_key: KEY,
  ssh_key_unlock: "unlocks-the-key",
  become_method: "sudo",
  become_username: "admin",
  become_password: "pass-of-admin",
};

async function credential({ sql }: AwxDatabase, kind: string, inputs: unknown): Promise<number> {
  const [{ id }] = await sql.unsafe(
    "insert into awx.credential (name, kind, inputs) values ($1::text, $2::text, '') returning id::int",
    [`a ${kind} ${randomUUID()}`, kind],
  );
  await sql.unsafe("update awx.credential set inputs = $2::text where id = $1::bigint", [
    id,
    seal(inputs, `credential:${id}`),
  ]);
  return id;
}

const sha = (text: string) => createHash("sha256").update(text).digest("hex");

/** Says what it was given: its arguments, the mode and the hash of each file among them, what it is told when it asks. */
const STAND_IN = `#!/bin/sh
echo "args $*"
for arg in "$@"; do
  file=\${arg##*@}
  [ -f "$file" ] && echo "file $(basename "$file") $(stat -c %a "$file") $(sha256sum < "$file" | cut -d' ' -f1)"
done
echo "asked $("$SSH_ASKPASS" "Enter passphrase for key" | sha256sum | cut -d' ' -f1) $SSH_ASKPASS_REQUIRE"
echo "dir $(stat -c %a "$(dirname "$(dirname "$SSH_ASKPASS")")")"
cat "$SSH_ASKPASS"
env
`;

/** Run a playbook with a program in the place of ansible's; gives what it said, and the job. */
async function given(own: AwxDatabase, credentialIds: number[]) {
  const bin = tempDir();
  writeFileSync(join(bin, "ansible-playbook"), STAND_IN);
  chmodSync(join(bin, "ansible-playbook"), 0o755);
  const { PATH } = process.env;
  process.env.PATH = `${bin}:${PATH}`;
  try {
    const { id, uuid } = await waiting(own, "");
    await own.sql.unsafe(
      "update awx.unified_job set credential_ids = $2::text::bigint[] where id = $1::bigint",
      [
        id,
        `{${credentialIds}}`,
      ],
    );
    await perform(contextOf(own, uuid, NEVER), id, (run) => {
      const spec = { ...run.job.spec, kind: "playbook" as const, playbook: "site.yml" };
      return runJob({ ...run, job: { ...run.job, spec } });
    });
    const [{ said }] = await own.sql.unsafe(
      "select coalesce(string_agg(stdout, '' order by counter), '') said from awx.job_event where job_id = $1::bigint",
      [id],
    );
    return { said: said as string, job: await jobById(own.sql, id) };
  } finally {
    process.env.PATH = PATH;
  }
}

test("passwords, keys and vaults are files of their owner's, in a directory of its own", async (t) => {
  const own = await place(t);
  const ids = [
    await credential(own, "machine", MACHINE),
    await credential(own, "vault", { vault_password: "vault-one" }),
    await credential(own, "vault", { vault_password: "vault-two", vault_id: "prod" }),
    await credential(own, "env", { TOKEN: "token-of-ann" }),
  ];
  const { said, job } = await given(own, ids);
  assert.equal(job.status, "successful", job.job_explanation);
  const files = Object.fromEntries(
    [...said.matchAll(/^file (\S+) 600 (\S+)$/gm)].map(([, name, hash]) => [name, hash]),
  );
  for (
    const [name, text] of Object.entries({
      password: MACHINE.password,
      become: MACHINE.become_password,
      key: `${KEY}\n`,
      vault0: "vault-one",
      vault1: "vault-two",
    })
  ) assert.equal(files[name], sha(text), name);
  assert.match(said, /^args --user root --become-method sudo --become-user admin /);
  assert.match(said, /--vault-id default@\S+vault0 --vault-id prod@\S+vault1/);
  assert.ok(said.includes(`asked ${sha(MACHINE.ssh_key_unlock)} force\ndir 700\n`), said);
  assert.ok(said.includes("TOKEN=$encrypted$"));
  for (
    const secret of ["pass-of", "b3Blbn", "djEAAA", "unlocks-the", "vault-one", "vault-two", "token-of-ann"]
  ) {
    assert.ok(!said.includes(secret), secret);
  }
  assert.doesNotMatch(said, /^(DATABASE_URL|AWX_SECRET_KEY|EDGE_DISPATCHER|DISPATCHER_)/m);
});

test("a credential that is gone, lacks its shape, or has another key ends the job with a reason and no secret", async (t) => {
  const own = await place(t);
  const gone = await given(own, [99]);
  assert.equal(gone.job.status, "error");
  assert.match(gone.job.job_explanation, /Cannot find credential 99, which the job needs/);
  const wrong = await given(own, [await credential(own, "env", { "NOT A NAME": "hunter2hunter2" })]);
  assert.match(wrong.job.job_explanation, /Cannot use credential "a env [^"]*": NOT A NAME: /);
  assert.doesNotMatch(wrong.job.job_explanation, /hunter2/);
  const id = await credential(own, "vault", { vault_password: "vault-one" });
  await own.sql.unsafe("update awx.credential set inputs = $2::text where id = $1::bigint", [
    id,
    seal({}, "credential:0"),
  ]);
  assert.match((await given(own, [id])).job.job_explanation, /Cannot open the secrets of credential:\d+/);
});
