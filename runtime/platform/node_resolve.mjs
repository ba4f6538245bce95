/**
 * Lets a task file that lies anywhere import `edge-dispatcher`: where Node finds no such package from the
 * file's own place, this copy serves. JavaScript, because it is loaded by --import before anything else.
 */
import { registerHooks } from "node:module";

const ENTRY = new URL("../../mod.ts", import.meta.url).href;

registerHooks({
  resolve(specifier, context, next) {
    if (specifier !== "edge-dispatcher") return next(specifier, context);
    try {
      return next(specifier, context);
    } catch (error) {
      if (error.code !== "ERR_MODULE_NOT_FOUND" && error.code !== "ERR_PACKAGE_PATH_NOT_EXPORTED") {
        throw error;
      }
      return { url: ENTRY, shortCircuit: true };
    }
  },
});
