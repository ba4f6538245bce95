/**
 * Files, as a thread looks for that of its task. Every worker loads this, and on Deno the first built-in module of Node's
 * costs each of them 3 ms and 3 MB, `node:fs` 14 ms and 10 MB; so Deno's own calls do it there.
 *
 * @module
 */

interface Files {
  separator: string;
  realPath(path: string): string;
  isFile(path: string): boolean;
  url(path: string): string;
}

// deno-lint-ignore no-explicit-any
const scope = globalThis as any;

/** There is no such file; a name that is too long for one, or a link to itself, is none. */
const NONE = ["ENOENT", "ENOTDIR", "ENAMETOOLONG", "ELOOP"];

const files = "Deno" in scope ? ofDeno(scope.Deno) : ofNode();

function ofNode(): Files {
  const [fs, path, url] = ["fs", "path", "url"].map((name) => scope.process.getBuiltinModule(`node:${name}`));
  return {
    separator: path.sep,
    realPath: fs.realpathSync,
    isFile: (path) => fs.statSync(path).isFile(),
    url: (path) => url.pathToFileURL(path).href,
  };
}

// deno-lint-ignore no-explicit-any
function ofDeno(deno: any): Files {
  const isWindows = deno.build.os === "windows";
  return {
    separator: isWindows ? "\\" : "/",
    realPath: deno.realPathSync,
    isFile: (path) => deno.statSync(path).isFile,
    url(path) {
      const url = new URL("file:///");
      // What a path of a URL keeps as it is, leaves out, or takes for a slash.
      url.pathname = (isWindows ? path.replaceAll("\\", "/") : path).replace(
        /[%\\\n\r\t]/g,
        encodeURIComponent,
      );
      return url.href;
    },
  };
}

/** What stands between two names of a path. */
export const SEPARATOR: string = files.separator;

/** An absolute path without links; the system's error when there is nothing. */
export function realPath(path: string): string {
  return files.realPath(path);
}

/** Whether there is a file. */
export function isFile(path: string): boolean {
  try {
    return files.isFile(path);
  } catch (error) {
    if (NONE.includes((error as { code?: string }).code ?? "")) return false;
    throw error;
  }
}

/** The URL by which an absolute path is imported. */
export function fileUrl(path: string): string {
  return files.url(path);
}
