import assert from "node:assert/strict";
import { cpSync, mkdirSync, truncateSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { needs, tempDir, test } from "../harness.ts";
import { cluster, shell } from "./cluster.ts";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));
const tools = needs("git") || needs("sha256sum") || needs("xargs") || needs("bash");
/** What the task's digest is that of, as its documentation says. */
const REFERENCE = "find . -type f -print0 | LC_ALL=C sort -z | xargs -0 sha256sum | sha256sum";

interface Tree {
  files: number;
  bytes: number;
  digest: string;
}

/** The same three figures, found out with the system's tools. */
function reference(dir: string): Tree {
  return {
    files: Number(shell("find . -type f -printf x | wc -c", dir)),
    bytes: Number(shell("find . -type f -printf '%s\\n' | awk '{ n += $1 } END { print n + 0 }'", dir)),
    digest: shell(REFERENCE, dir).split(" ")[0],
  };
}

/** Copy the files of this repository, as git knows them, to a folder of the test's. */
function copyOfTheTree(): string {
  const dir = tempDir();
  const names = shell("git -c safe.directory='*' ls-files -z", ROOT).split("\0").filter(Boolean);
  for (const name of names) cpSync(join(ROOT, name), join(dir, name), { recursive: true, dereference: true });
  return dir;
}

/** Names that need an escape, and some whose order by UTF-16 is not the one by bytes. */
const ODD_NAMES = [
  "with space",
  " ",
  "line\nbreak",
  "back\\slash",
  "back\\nslash",
  "-n",
  "quo'te\"s",
  "ünï",
  "\uff5e.txt",
  "\u{1f600}.txt",
  "A",
  "a",
  "a.b/c",
  "a/b",
  "a-b/c",
  "a\nb/c\\d/empty",
  "%s",
  "$(true)",
  ".hidden",
].filter((name) => name !== "a");

test("checksum_tree gives what sha256sum gives for this repository", { skip: tools }, async (t) => {
  const { client, node, until } = await cluster(t);
  await node({ name: "n", workers: 1 });
  const dir = copyOfTheTree();
  const expected = reference(dir);
  assert.ok(expected.files > 50, `${expected.files} files`);
  const { uuid, result } = await client.publish("examples/checksum_tree", [dir]);
  assert.deepEqual(await result({ within: 60 }), expected);
  const { progress } = await until(uuid, ({ state }) => state === "completed");
  assert.deepEqual(progress, { files: expected.files, of: expected.files, bytes: expected.bytes });
});

test(
  "checksum_tree gives what sha256sum gives for odd names and an empty folder",
  { skip: tools },
  async (t) => {
    const { client, node } = await cluster(t);
    await node({ name: "n", workers: 1 });
    const dir = tempDir();
    for (const name of ODD_NAMES) {
      mkdirSync(dirname(join(dir, name)), { recursive: true });
      writeFileSync(join(dir, name), `content of ${name}`);
    }
    mkdirSync(join(dir, "no file in here"));
    writeFileSync(join(dir, "empty file"), "");
    const expected = reference(dir);
    assert.equal(expected.files, ODD_NAMES.length + 1);
    assert.deepEqual(await (await client.publish("examples/checksum_tree", [dir])).result(), expected);
    const empty = await client.publish<Tree>("examples/checksum_tree", [join(dir, "no file in here")]);
    const { files, bytes, digest } = await empty.result();
    assert.deepEqual([files, bytes, digest], [0, 0, shell("printf '' | sha256sum", dir).split(" ")[0]]);
  },
);

test("checksum_tree fails with the name of what is no folder", async (t) => {
  const { client, node, until } = await cluster(t);
  await node({ name: "n", workers: 1 });
  const file = join(tempDir(), "file");
  writeFileSync(file, "");
  const { uuid } = await client.publish("examples/checksum_tree", [file]);
  const { error } = await until(uuid, ({ state }) => state === "discarded");
  assert.equal(error!.message, `Cannot checksum "${file}": it is not a directory`);
});

test("show tells the progress of checksum_tree while it runs, and cancel ends it by its signal", async (t) => {
  const { client, node, until, cli } = await cluster(t);
  await node({ name: "n", workers: 1, config: { pool: { abort_grace: 60 } } });
  const dir = tempDir();
  for (const name of ["1", "2"]) writeFileSync(join(dir, name), "x");
  // A hole, which takes no room and hours to hash.
  writeFileSync(join(dir, "3"), "");
  truncateSync(join(dir, "3"), 2 ** 42);
  const { uuid } = await client.publish("examples/checksum_tree", [dir]);
  await until(uuid, ({ progress }) => (progress as { files: number } | null)?.files === 2);
  const shown = await cli("show", uuid);
  assert.match(shown.stdout, new RegExp(`^${uuid} running$`, "m"));
  assert.match(shown.stdout, /^ {2}progress +\{"files":2,"of":3,"bytes":2\}$/m);
  assert.equal(JSON.parse((await cli("show", uuid, "--json")).stdout).progress.of, 3);
  assert.equal((await cli("cancel", uuid)).code, 0);
  const row = await until(uuid, ({ state }) => state === "cancelled");
  assert.deepEqual([row.error?.name, row.attempts.length], ["CancelledError", 1]);
  assert.deepEqual(row.progress, { files: 2, of: 3, bytes: 2 });
  // Not killed, for the grace is a minute: the same worker runs what comes next.
  const next = await client.publish("examples/add", [1, 1]);
  assert.equal(await next.result({ within: 20 }), 2);
  const { attempts } = await until(next.uuid, ({ state }) => state === "completed");
  assert.equal(attempts[0].worker, row.attempts[0].worker);
});
