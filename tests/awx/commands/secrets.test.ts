// @runtimes deno
/** Secrets come in by files and stdin, and go out nowhere. */
import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { openCredential } from "../../../tasks/jobs/model/credentials.ts";
import { open } from "../../../tasks/jobs/model/secrets.ts";
import { tempDir, test } from "../../harness.ts";
import { cli } from "./cli.ts";

const SECRET = "hunter2";

test("awx credential reads fields from files and stdin, and prints none of them", async (t) => {
  const { awx, sql } = await cli(t);
  const dir = tempDir();
  const file = join(dir, "secret");
  writeFileSync(file, `${SECRET}\n`);
  const key = join(dir, "key");
  writeFileSync(key, `-----BEGIN KEY-----\n${SECRET}\n`);
  const lines: [words: string[], stdin: string, exit: number, says: RegExp][] = [
    [
      [
        "create",
        "login",
        "--kind",
        "machine",
        "--username",
        "me",
        "--field",
        `password=${file}`,
        "--field",
        `ssh_key=${key}`,
      ],
      "",
      0,
      /^login created$/,
    ],
    [["create", "cloud", "--kind", "env", "--from", "-"], `TOKEN: ${SECRET}`, 0, /^cloud created$/],
    [
      ["create", "v", "--kind", "vault", "--vault-id", "prod", "--field", "vault_password=-"],
      SECRET,
      0,
      /created/,
    ],
    [["modify", "login", "--field", "become_password=-", "--json"], SECRET, 0, /"name":"login"/],
    [["show", "login", "--json"], "", 0, /"fields":\["become_password","password","ssh_key","username"\]/],
    [["list"], "", 0, /cloud\tenv\tTOKEN/],
    [["create", "x", "--kind", "machine", "--field", SECRET], "", 2, /^Flag --field takes NAME=FILE/],
    [["create", "x", "--kind", "machine", "--from", "-"], `pass: ${SECRET}`, 2, /Unrecognized key: "pass"/],
    [["create", "x", "--kind", "machine", "--from", "-"], SECRET, 2, /it holds no object/],
    [["create", "x", "--kind", "machine"], "", 2, /nothing is set; kind machine has username, password/],
    [["create", "x", "--kind", "keys"], "", 2, /Flag --kind takes machine, scm, vault, env: given "keys"/],
    [["create", "x"], "", 2, /without --kind/],
    [["create", "x", "--kind", "scm", "--field", "password=/nowhere"], "", 2, /Cannot read "\/nowhere"/],
    [
      ["create", "x", "--kind", "scm", "--from", "-", "--field", "password=-"],
      "",
      2,
      /stdin for more than one/,
    ],
    [["create", "login", "--kind", "scm", "--username", "me"], "", 4, /there is one of this name/],
    [["show", "nope"], "", 3, /Cannot find credential "nope"/],
  ];
  for (const [words, stdin, exit, says] of lines) {
    const { code, out, err } = await awx(["credential", ...words], { stdin });
    const text = [...out, ...err].join("\n");
    assert.equal(code, exit, text);
    assert.match(text, says);
    assert.doesNotMatch(text, new RegExp(SECRET));
  }
  assert.deepEqual((await openCredential(sql, 1)).inputs, {
    username: "me",
    password: SECRET,
    ssh_key: `-----BEGIN KEY-----\n${SECRET}\n`,
    become_password: SECRET,
  });
  assert.deepEqual((await openCredential(sql, 3)).inputs, { vault_id: "prod", vault_password: SECRET });
});

test("awx notification reads what it holds from a file, attaches and detaches", async (t) => {
  const { awx, ok, sql } = await cli(t);
  await ok("template create hello -- echo hello");
  const hook = `url: https://example.org/${SECRET}`;
  await ok("notification create chat --kind slack --from -", hook);
  const [{ configuration }] = await sql.unsafe("select configuration from awx.notification_template");
  assert.equal(
    (open(configuration, "notification_template:1") as { url: string }).url,
    `https://example.org/${SECRET}`,
  );
  await ok("notification attach chat --template hello --on success,error");
  assert.deepEqual(await ok("notification list"), ["chat\tslack\tjob_template hello (error, success)"]);
  await ok("notification detach chat --template hello --on error");
  assert.deepEqual(await ok("notification list"), ["chat\tslack\tjob_template hello (success)"]);
  await ok("template delete hello");
  assert.deepEqual(await ok("notification list"), ["chat\tslack\t-"]);
  const wrong: [string, string, number, RegExp][] = [
    ["create x --kind slack --from -", `url: ${SECRET}`, 2, /url: /],
    ["create x --kind slack", "", 2, /without --from/],
    ["attach chat", "", 2, /without --template/],
    ["attach chat --template nope", "", 3, /Cannot find job template "nope"/],
    ["attach chat --template x --on never", "", 2, /Flag --on takes started, success, error: given "never"/],
  ];
  for (const [line, stdin, exit, says] of wrong) {
    const { code, err } = await awx(`notification ${line}`, { stdin });
    assert.equal(code, exit, `${err}`);
    assert.match(err.join("\n"), says);
    assert.doesNotMatch(err.join("\n"), new RegExp(SECRET));
  }
});
