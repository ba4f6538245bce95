/** Counts envelopes as a node does: the events of a claim and of an attempt, with and without a tally that hears them. */
import process from "node:process";
import { attemptEvent, claimEvent } from "../runtime/dispatch/attempt_log.ts";
import { Events } from "../runtime/events.ts";
import { Tally } from "../runtime/tally.ts";
import { claimed, finished } from "../tests/conformance/make.ts";
import { act } from "./actor.ts";

await act(() => ({
  /** Nanoseconds of CPU an envelope. */
  observe(count: number, counts: boolean): number {
    const events = new Events();
    if (counts) new Tally().subscribe(events);
    const one = claimed();
    const end = finished({ claimed: one });
    const before = process.cpuUsage();
    for (let i = 0; i < count; i++) {
      if (events.claims.wanted) events.claims.emit(claimEvent(one, end.finished));
      if (events.attempts.wanted) events.attempts.emit(attemptEvent(end, "completed"));
    }
    const { user, system } = process.cpuUsage(before);
    return (user + system) * 1_000 / count;
  },
}));
