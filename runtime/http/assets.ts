/**
 * The files of the dashboard: all come from this node, none from elsewhere.
 *
 * @module
 */
import { createHash } from "node:crypto";
import { readFile } from "node:fs/promises";
import { createRequire } from "node:module";

const { resolve } = createRequire(import.meta.url);
const own = (name: string) => new URL(`./view/assets/${name}`, import.meta.url);

/** By the name under which it is asked for: where it lies. */
const FILES: Readonly<Record<string, () => string | URL>> = {
  "dashboard.css": () => own("dashboard.css"),
  "dashboard.js": () => own("dashboard.js"),
  "morph.js": () => own("morph.js"),
  "charts.js": () => own("charts.js"),
  "uplot.js": () => resolve("uplot/dist/uPlot.iife.min.js"),
  "uplot.css": () => resolve("uplot/dist/uPlot.min.css"),
};
const TYPES: Readonly<Record<string, string>> = { css: "text/css", js: "text/javascript" };

/** A file, and what its content is known by. */
export interface Asset {
  type: string;
  body: string;
  version: string;
}

/** Read all of them, once. */
export async function loadAssets(): Promise<ReadonlyMap<string, Asset>> {
  const read = Object.entries(FILES).map(async ([name, place]): Promise<[string, Asset]> => {
    const body = await readFile(place(), "utf8");
    const version = createHash("sha256").update(body).digest("hex").slice(0, 12);
    return [name, { type: `${TYPES[name.split(".").at(-1)!]}; charset=utf-8`, body, version }];
  });
  return new Map(await Promise.all(read));
}
