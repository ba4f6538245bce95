/** Values of the ports' types, each complete, for tests to vary. */
import type { Finished } from "../../runtime/pool/slot.ts";
import type { Claimed, NodeRegistration, Settlement, Token } from "../../runtime/store/store.ts";
import { uuid7 } from "../../runtime/uuid.ts";

export function claimed(fields: Partial<Claimed> = {}): Claimed {
  return {
    uuid: uuid7(),
    fence: 1,
    task: "examples/add",
    queue: "default",
    args: "[1,1]",
    kwargs: "{}",
    options: "{}",
    priority: 0,
    attempt: 1,
    forgiven: 0,
    maxAttempts: null,
    timeout: null,
    solo: false,
    origin: null,
    keyed: false,
    ...fields,
  };
}

/** An attempt that completed with the result 2. */
export function finished(fields: Partial<Finished> = {}): Finished {
  return {
    claimed: claimed(),
    worker: "4711.1",
    outcome: "completed",
    text: "2",
    started: 1_800_000_000_000,
    finished: 1_800_000_001_500,
    progress: null,
    ...fields,
  };
}

/** The verdict "completed, without a result" on what was claimed. */
export function settlement(token: Token, fields: Partial<Settlement> = {}): Settlement {
  return {
    uuid: token.uuid,
    fence: token.fence,
    outcome: "completed",
    record: null,
    ran: null,
    result: null,
    error: null,
    delay: null,
    solo: false,
    progress: null,
    watch: false,
    keyed: false,
    ...fields,
  };
}

export function registration(name: string, fields: Partial<NodeRegistration> = {}): NodeRegistration {
  return {
    name,
    instance: uuid7(),
    runtime: "deno",
    version: "0.1.0",
    host: "somewhere",
    pid: 4711,
    boot: "boot/4711",
    minSlots: 1,
    maxSlots: 4,
    queues: ["default", name],
    leaseSeconds: 30,
    ...fields,
  };
}
