/**
 * What a host says: what its threads have said, in their order, and what it has to say of them. Reports of one turn of
 * the event loop travel together; those of a thread that goes on by itself may wait for more.
 *
 * @module
 */
import { setImmediate } from "node:timers";
import type { HostReport } from "./protocol.ts";
import type { Tray } from "./tray.ts";

/** How long the end of an attempt may wait for that of the next, when the thread has one. */
const TOGETHER_MS = 1;

/** A thread, as far as it speaks. */
export interface Speaker {
  readonly slot: number;
  tray: Tray | undefined;
}

/** The voice of one host. */
export class HostVoice {
  readonly #send: (batch: HostReport[]) => void;
  #outbox: HostReport[] = [];
  #flushing: "no" | "soon" | "now" = "no";
  // Who has something lying in its tray.
  readonly #rung = new Set<Speaker>();

  constructor(send: (batch: HostReport[]) => void) {
    this.#send = send;
  }

  /** Say something. */
  report(report: HostReport, when: "soon" | "now" = "now"): void {
    this.#outbox.push(report);
    this.#hurry(when);
  }

  /** A thread has rung: its tray is looked at with the next that is said, or soon. */
  rang(speaker: Speaker): void {
    this.#rung.add(speaker);
    this.#hurry("soon");
  }

  /** Say something of a thread that has ended or must give something back, behind all that it has said itself. */
  reportOf(speaker: Speaker, report: HostReport): void {
    this.#fetch(speaker);
    this.report(report);
  }

  /** Put what lies in a tray behind what its thread has said before. */
  #fetch({ tray, slot }: Speaker): void {
    const text = tray?.fetch() ?? "";
    if (text !== "") this.#outbox.push(["said", slot, text]);
  }

  #hurry(when: "soon" | "now"): void {
    if (this.#flushing === "now" || this.#flushing === when) return;
    this.#flushing = when;
    if (when === "now") setImmediate(() => this.#flush());
    else setTimeout(() => this.#flush(), TOGETHER_MS);
  }

  #flush(): void {
    this.#flushing = "no";
    for (const speaker of this.#rung) this.#fetch(speaker);
    this.#rung.clear();
    if (this.#outbox.length === 0) return;
    const batch = this.#outbox;
    this.#outbox = [];
    this.#send(batch);
  }
}
