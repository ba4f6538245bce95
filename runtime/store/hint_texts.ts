/**
 * Hints as statements without parameters, for the way behind another statement; see `behind.ts`.
 *
 * @module
 */
import { PAYLOAD_BYTES } from "../broker/broker.ts";
import { SETTLED_CHANNEL } from "../broker/channels.ts";
import { arrayLiteral, textLiteral } from "./connection.ts";
import * as SQL from "./sql.ts";
import type { Settlement } from "./store.ts";

/** A uuid and a comma. */
const UUID_BYTES = 37;
const UUIDS = Math.floor(PAYLOAD_BYTES / UUID_BYTES);

/** That there is work in these queues, unless it is one envelope and was handed over; undefined when there are none. */
export function wakeText(
  queues: readonly string[],
  batch: readonly { uuid: string }[] = [],
): string | undefined {
  if (queues.length === 0) return undefined;
  const wake = SQL.WAKE.replace("$1", () => textLiteral(arrayLiteral(queues)));
  if (batch.length !== 1) return wake;
  return `${wake} where current_setting('dispatcher.handed', true) is distinct from ${
    textLiteral(batch[0].uuid)
  }`;
}

/** That these ended, for those that somebody waits for; undefined when there are none. */
export function settledText(settlements: readonly Settlement[]): string | undefined {
  const uuids = settlements.filter(endsWatched).map(({ uuid }) => uuid);
  if (uuids.length === 0) return undefined;
  const payloads = [];
  for (let at = 0; at < uuids.length; at += UUIDS) payloads.push(uuids.slice(at, at + UUIDS).join(","));
  const told = payloads.map((payload) => `pg_notify('${SETTLED_CHANNEL}', ${textLiteral(payload)})`);
  return `select ${told.join(", ")}`;
}

function endsWatched({ watch, outcome }: Settlement): boolean {
  return watch && outcome !== "retry" && outcome !== "released";
}
