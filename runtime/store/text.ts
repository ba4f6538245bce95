/**
 * Reading a text that lies beside the code: a file, or on the network where the code was loaded from there.
 *
 * @module
 */
import { readFile } from "node:fs/promises";

/** Read it; throws when it is not there. */
export async function readText(url: URL): Promise<string> {
  if (url.protocol === "file:") return await readFile(url, "utf8");
  const response = await fetch(url);
  if (!response.ok) throw new Error(`Cannot read "${url}": ${response.status} ${response.statusText}`);
  return await response.text();
}
