/**
 * Closes the streams of jobs whose end has come. An end may overtake events that another worker or receiver still holds,
 * so it is noted in a table, by whoever takes it, and carried out by whoever looks when everything is there.
 *
 * ```text
 *  EOF taken ─► noted ──all events there, written or set aside──► closed: the job says so, notification if it is final
 *                 └──30 s later, with what there is──────────────► closed, and the gap is told
 * ```
 *
 * @module
 */
import type { Events } from "../events.ts";
import type { Work } from "../service/service.ts";
import * as SQL from "../store/sql_receiver.ts";
import type { Figures } from "./figures.ts";
import type { Run } from "./source.ts";

/** What it works with. */
export interface StreamsParts {
  run: Run;
  events: Events;
  figures: Figures;
  /** Seconds that an end waits for its events, by default 30. */
  patience?: number;
}

const PATIENCE_SECONDS = 30;
const LOOK_MS = 1_000;

/** As a service; it is kicked when an end was noted. */
export function streams({ run, events, figures, patience = PATIENCE_SECONDS }: StreamsParts): Work {
  return {
    name: "streams",
    retryMs: 1_000,
    async once() {
      for (const { id, events: seen, final_counter } of await run(SQL.CLOSE_STREAMS, [patience])) {
        figures.closed++;
        const lack = final_counter - seen;
        if (lack <= 0) continue;
        const text = `The stream of job ${id} was closed: ${lack} of ${final_counter} events did not arrive`;
        events.emit("warning", "receiver.gap", text, { job_id: Number(id) });
      }
      return LOOK_MS;
    },
  };
}
