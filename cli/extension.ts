/**
 * The extension beside the tasks, for its commands.
 *
 * @module
 */
import { loadConfig } from "../runtime/config.ts";
import type { LoadedExtension } from "../runtime/extension.ts";

/**
 * That of the tasks root, if it has one.
 *
 * @param lenient A configuration that cannot be used must not stand in the way of the help.
 */
export async function extensionFound(lenient: boolean): Promise<LoadedExtension | undefined> {
  try {
    const [{ config }, { loadExtension }] = await Promise.all([
      loadConfig(),
      import("../runtime/extension.ts" as string) as Promise<typeof import("../runtime/extension.ts")>,
    ]);
    return await loadExtension(config);
  } catch (error) {
    if (lenient) return undefined;
    throw error;
  }
}
