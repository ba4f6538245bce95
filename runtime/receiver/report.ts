/**
 * What a receiver tells of itself: a row for the dashboard, which stays when it dies, and answers to control messages.
 *
 * @module
 */
import { hostname } from "node:os";
import process from "node:process";
import type { Broker } from "../broker/broker.ts";
import { RECEIVERS_CHANNEL } from "../broker/channels.ts";
import { readWire } from "../broker/wire.ts";
import type { Clock } from "../clock.ts";
import { answer, type Command, reply } from "../control/control.ts";
import { errorLine } from "../errors.ts";
import type { Events } from "../events.ts";
import type { Work } from "../service/service.ts";
import * as SQL from "../store/sql_receiver.ts";
import type { Figures, ReceiverStatus } from "./figures.ts";
import type { Run, Source } from "./source.ts";

/** What it tells of. */
export interface ReportParts {
  name: string;
  workers: number;
  source: Pick<Source, "kind" | "size">;
  figures: Figures;
  clock: Clock;
  run: Run;
  draining(): boolean;
}

const EVERY_MS = 2_000;

/** Tells of one receiver. */
export class Report {
  readonly #parts: ReportParts;
  readonly #startedAt: string;

  constructor(parts: ReportParts) {
    this.#parts = parts;
    this.#startedAt = new Date(parts.clock.now()).toISOString();
  }

  /** How it stands now. */
  async status(): Promise<ReceiverStatus> {
    const { name, workers, source, figures, clock, draining } = this.#parts;
    return {
      node_id: name,
      kind: "receiver",
      pid: process.pid,
      source: source.kind,
      state: draining() ? "draining" : "running",
      workers,
      popped: figures.popped,
      saved: figures.saved,
      known: figures.known,
      set_aside: figures.setAside,
      in_memory: figures.inMemory,
      queue_size: await this.queueSize(),
      lag_p95: figures.lagP95(clock.now()),
      started_at: this.#startedAt,
      rss: process.memoryUsage().rss,
    };
  }

  /** How many events wait; null while the source does not answer. */
  async queueSize(): Promise<number | null> {
    return await this.#parts.source.size().catch(() => null);
  }

  /** Writes the row. */
  work(): Work {
    return {
      name: "report",
      retryMs: EVERY_MS,
      once: async () => {
        const s = await this.status();
        await this.#parts.run(SQL.REPORT, [
          ...[s.node_id, s.pid, hostname(), s.source, s.started_at],
          ...[s.popped, s.saved, s.set_aside, s.in_memory, s.queue_size, s.lag_p95],
        ]);
        return EVERY_MS;
      },
    };
  }

  /** It ends in order: nobody needs to wonder where it is. */
  async leave(): Promise<void> {
    await this.#parts.run(SQL.LEAVE, [this.#parts.name, process.pid]);
  }

  /** Answer `receiver_status`, `status` and `alive` on its own channel and on that of all receivers. */
  async listen(broker: Broker, events: Events): Promise<() => Promise<void>> {
    const status = () => this.status();
    const commands: Record<string, Command> = { receiver_status: status, status, alive: () => ({}) };
    const { name } = this.#parts;
    return await broker.listen([name, RECEIVERS_CHANNEL], {
      gap() {},
      message(channel, payload) {
        const wire = readWire(payload, channel);
        if (wire.kind !== "control" || wire.replyTo === null) return;
        const { replyTo } = wire;
        void answer(commands, name, wire.command, wire.data)
          .then((message) => reply(broker, replyTo, message))
          .catch((error) => events.emit("warning", "reply.failed", `No reply was sent: ${errorLine(error)}`));
      },
    });
  }
}
