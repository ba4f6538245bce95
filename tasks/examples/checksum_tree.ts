/**
 * Hash every file under a directory with SHA-256, and the list of hashes once more.
 *
 * The digest is that of the text that `sha256sum` prints for the files sorted by their paths in byte order:
 *
 * ```sh
 * cd DIR && find . -type f -print0 | LC_ALL=C sort -z | xargs -0 sha256sum | sha256sum
 * ```
 */
import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { readdir, stat } from "node:fs/promises";
import { join } from "node:path";
import { task } from "edge-dispatcher";

/** What {@link default} returns. */
export interface TreeChecksum {
  files: number;
  bytes: number;
  /** SHA-256 in hexadecimal. */
  digest: string;
}

export default task({ bind: true }, async (context, dir: string): Promise<TreeChecksum> => {
  if (!(await stat(dir)).isDirectory()) throw new Error(`Cannot checksum "${dir}": it is not a directory`);
  const paths = await filesUnder(dir, context.signal);
  const list = createHash("sha256");
  let bytes = 0;
  for (const [done, path] of paths.entries()) {
    context.signal.throwIfAborted();
    context.progress({ files: done, of: paths.length, bytes });
    const file = await hashFile(join(dir, path), context.signal);
    bytes += file.bytes;
    list.update(listLine(file.digest, `./${path}`));
  }
  context.progress({ files: paths.length, of: paths.length, bytes });
  return { files: paths.length, bytes, digest: list.digest("hex") };
});

/** Regular files below a directory as relative paths, in the byte order of `LC_ALL=C sort`. */
async function filesUnder(dir: string, signal: AbortSignal): Promise<string[]> {
  const found: string[] = [];
  const open = [""];
  while (open.length > 0) {
    signal.throwIfAborted();
    const below = open.pop()!;
    for (const entry of await readdir(join(dir, below), { withFileTypes: true })) {
      const path = below === "" ? entry.name : `${below}/${entry.name}`;
      if (entry.isDirectory()) open.push(path);
      else if (entry.isFile()) found.push(path);
    }
  }
  // By bytes: JavaScript compares UTF-16 units, which puts some characters elsewhere.
  return found.sort((a, b) => Buffer.compare(Buffer.from(`./${a}`), Buffer.from(`./${b}`)));
}

async function hashFile(path: string, signal: AbortSignal): Promise<{ bytes: number; digest: string }> {
  const hash = createHash("sha256");
  let bytes = 0;
  for await (const chunk of createReadStream(path, { signal })) {
    hash.update(chunk as Uint8Array);
    bytes += (chunk as Uint8Array).length;
  }
  return { bytes, digest: hash.digest("hex") };
}

/** One line of `sha256sum`, which marks and escapes names with a backslash or a line break in them. */
function listLine(digest: string, path: string): string {
  const escaped = path.replaceAll("\\", "\\\\").replaceAll("\n", "\\n").replaceAll("\r", "\\r");
  return `${escaped === path ? "" : "\\"}${digest}  ${escaped}\n`;
}
