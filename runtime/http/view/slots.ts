/**
 * The slots of a node as a strip of cells.
 *
 * @module
 */
import type { NodeLook } from "../sampler.ts";
import { type Html, html } from "./bits.ts";
import { plural } from "./format.ts";

const [CELL, GAP] = [12, 3];
/** More than so many in a row would be too small to see. */
const IN_ROW = 30;

/** A cell a slot; how many are busy is said in words too. */
export function slotStrip(node: NodeLook): Html {
  const cells = cellsOf(node);
  const busy = cells.filter((kind) => kind === "busy").length;
  const rows = Math.max(1, Math.ceil(cells.length / IN_ROW));
  const width = Math.min(IN_ROW, Math.max(1, cells.length)) * (CELL + GAP) - GAP;
  const height = rows * (CELL + GAP) - GAP;
  const said = `${busy} of ${plural(cells.length, "slot")} busy, at most ${node.status?.max ?? node.max}`;
  return html`
    <svg class="slots" width="${width}" height="${height}" viewBox="0 0 ${width} ${height}" role="img"
      aria-label="${said}">${cells.map((kind, i) =>
        html`
          <rect class="${kind}" x="${(i % IN_ROW) * (CELL + GAP)}" y="${Math.floor(i / IN_ROW) *
            (CELL + GAP)}" width="${CELL}" height="${CELL}" rx="2" />
        `
      )}</svg> <span class="num">${busy}/${cells.length}</span>
  `;
}

type Kind = "busy" | "idle" | "starting" | "unknown";

/** By what the node says of each, else by what its heartbeat said of all. */
function cellsOf({ status, slots, busy }: NodeLook): Kind[] {
  if (status === null) return Array.from({ length: slots }, (_, i) => i < busy ? "busy" : "unknown");
  return status.workers.map(({ state, running }) =>
    running.length > 0 ? "busy" : state === "ready" ? "idle" : "starting"
  );
}
