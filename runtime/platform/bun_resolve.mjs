/**
 * Lets a task file that lies anywhere import `edge-dispatcher`: this copy serves, as on Node and Deno. Loaded into
 * every worker before anything else. A module and not `onResolve`, which Bun 1.4 does not ask about bare names
 * at run time.
 */
const ENTRY = new URL("../../mod.ts", import.meta.url).href;

globalThis.Bun.plugin({
  name: "edge-dispatcher",
  setup(build) {
    build.module("edge-dispatcher", async () => ({ exports: await import(ENTRY), loader: "object" }));
  },
});
