/**
 * Events of jobs as producers send them, good ones and each kind of poison.
 *
 * @module
 */
import { randomUUID } from "node:crypto";

export interface EventOptions {
  job: number;
  counter: number;
  created?: Date;
  uuid?: string;
}

/** An event of about 700 bytes, such as ansible-playbook makes them. */
export function jobEvent({ job, counter, created = new Date(), uuid = randomUUID() }: EventOptions) {
  const host = `host-${counter % 50}`;
  return {
    job_id: job,
    uuid,
    counter,
    event: "runner_on_ok",
    created: created.toISOString(),
    host,
    play: "Web servers",
    task: "Install the packages",
    role: "common",
    failed: false,
    changed: counter % 2 === 0,
    start_line: counter,
    end_line: counter + 1,
    stdout: `\u001b[0;32mok: [${host}]\u001b[0m\r\n`,
    event_data: {
      playbook: "site.yml",
      play: "Web servers",
      task: "Install the packages",
      host,
      remote_addr: "127.0.0.1",
      res: {
        changed: false,
        invocation: { module_args: { name: ["nginx", "curl"], state: "present" } },
        rc: 0,
      },
      duration: 0.731,
    },
  };
}

export function eof(job: number, finalCounter: number): string {
  return JSON.stringify({ event: "EOF", job_id: job, uuid: randomUUID(), final_counter: finalCounter });
}

/** What must be set aside, and the beginning of the reason; `gone` is a job that does not exist. */
export const POISON: readonly {
  name: string;
  reason: RegExp;
  tries: number;
  make(event: ReturnType<typeof jobEvent>, gone: number): string;
}[] = [
  {
    name: "a NUL in its output",
    reason: /^There is a NUL in its stdout$/,
    tries: 1,
    make: (event) => JSON.stringify({ ...event, stdout: "a\0b" }),
  },
  {
    name: "a NUL deep in its data",
    reason: /^There is a NUL in its msg$/,
    tries: 1,
    make: (event) => JSON.stringify({ ...event, event_data: { res: { results: [{ msg: "\0" }] } } }),
  },
  {
    name: "a job that is gone",
    reason: /^Job \d+ does not exist$/,
    tries: 3,
    make: (event, gone) => JSON.stringify({ ...event, job_id: gone }),
  },
  {
    name: "half of its JSON",
    reason: /^It is not JSON: /,
    tries: 1,
    make: (event) => JSON.stringify(event).slice(0, -20),
  },
  {
    name: "a text that is no object",
    reason: /^It is a string, not an object$/,
    tries: 1,
    make: (event) => JSON.stringify(event.uuid),
  },
  {
    name: "a counter out of range",
    reason: /^Its counter is 2147483648, not a number from 0 to 2147483647$/,
    tries: 1,
    make: (event) => JSON.stringify({ ...event, counter: 2 ** 31 }),
  },
  {
    name: "no time",
    reason: /^Its created is missing, not a time/,
    tries: 1,
    make: (event) => JSON.stringify({ ...event, created: undefined }),
  },
  {
    name: "a uuid that is none",
    reason: /^Its uuid is "x/,
    tries: 1,
    make: (event) => JSON.stringify({ ...event, uuid: `x${event.uuid}` }),
  },
  {
    name: "a number that only the database refuses",
    reason: /^The database refuses it: /,
    tries: 3,
    make: (event) =>
      JSON.stringify(event).replace('"duration":0.731', `"size":${"9".repeat(20)},"duration":1e999999`),
  },
];
