/**
 * Retry, cancel, discard and copy: one envelope, some, or all that a search finds.
 *
 * @module
 */
import type { Client } from "../../../client.ts";
import { DispatcherError } from "../../../errors.ts";
import { STATES } from "../../../state.ts";
import { COUNT_CAP } from "../../../count_cap.ts";
import { html } from "../bits.ts";
import { count, plural } from "../format.ts";
import { readSearch } from "../search.ts";
import type { Deed, Fields, Question } from "./action.ts";

/** What can be done at once. */
const MOST = COUNT_CAP;
/** Uuids of one statement. */
const BATCH = 500;

type Found = { uuid: string; state: string };
type Done = { uuid: string; did: string };

interface Verb {
  action: "retry" | "cancel" | "discard";
  /** States in which it does something. */
  states: readonly string[];
  past: string;
  says: string;
  /** What `did` says of those to which it was done. */
  did: readonly string[];
  run(client: Client, uuids: string[], fields: Fields): Promise<Done[]>;
}

const VERBS: Verb[] = [
  {
    action: "retry",
    states: ["scheduled", "retryable", "cancelled", "discarded"],
    past: "Retried",
    says:
      "Brings back what was discarded or cancelled, with a new allowance of attempts; what waits for its time runs at once.",
    did: ["retried", "blocked"],
    run: (client, uuids) => client.retry(uuids),
  },
  {
    action: "cancel",
    states: ["scheduled", "available", "running", "retryable"],
    past: "Cancelled",
    says: "Ends what has not begun at once; what runs is told to end, on whichever node it is.",
    did: ["cancelled", "requested"],
    run: (client, uuids) => client.cancel(uuids),
  },
  {
    action: "discard",
    states: ["scheduled", "available", "running", "retryable"],
    past: "Discarded",
    says: "Gives them up: they count as failed, with the reason. What runs is told to end.",
    did: ["discarded", "requested"],
    run: (client, uuids, fields) => client.discard(uuids, fields.get("reason")),
  },
];

/** By verb. */
export const envelopeDeeds: Record<string, Deed> = {
  ...Object.fromEntries(VERBS.map((verb) => [verb.action, deedOf(verb)])),
  copy: {
    action: "publish",
    target: (fields) => fields.need("uuid"),
    async ask(client, fields) {
      const [row] = await client.find(fields.need("uuid"), "copy");
      return {
        title: "Publish a copy",
        text:
          html`<p>Publishes <span class="mono">${row.task}</span> once more to queue <b>${row.queue}</b>, with the same arguments and options, under a new uuid. Whatever it does, it will do again.</p>`,
        button: "Publish a copy",
        fields: { uuid: row.uuid },
      };
    },
    async run(client, fields) {
      const [row] = await client.find(fields.need("uuid"), "copy");
      const { uuid, duplicateOf } = await client.look.copy(row);
      const value = duplicateOf === null
        ? `Published a copy: ${uuid}`
        : `Not published: an equal one is there, ${duplicateOf}`;
      return { value, detail: { copy: uuid, task: row.task } };
    },
  },
};

function deedOf(verb: Verb): Deed {
  return {
    action: verb.action,
    target: (fields) =>
      fields.get("all") ? `all that match: ${fields.get("q") ?? ""}` : fields.all("uuid").join(" "),
    ask: (client, fields) => ask(verb, client, fields),
    async run(client, fields) {
      const chosen = (await find(client, fields)).map(({ uuid }) => uuid);
      const done: Done[] = [];
      for (let at = 0; at < chosen.length; at += BATCH) {
        done.push(...await verb.run(client, chosen.slice(at, at + BATCH), fields));
      }
      const changed = done.filter(({ did }) => verb.did.includes(did));
      return { value: said(verb, chosen.length, done, changed), count: changed.length };
    },
  };
}

/** What a form means, whatever it is in. @throws {DispatcherError} `usage` when nothing was chosen. */
async function find(client: Client, fields: Fields): Promise<Found[]> {
  if (fields.get("all")) {
    const { filter, faults } = readSearch(fields.get("q") ?? "");
    if (faults.length > 0) throw new DispatcherError("usage", faults[0]);
    return await client.look.matching(filter, MOST + 1);
  }
  const uuids = fields.all("uuid");
  if (uuids.length === 0) throw new DispatcherError("usage", "Nothing was chosen");
  const rows = await Promise.all(uuids.map((uuid) => client.find(uuid)));
  return rows.flat().map(({ uuid, state }) => ({ uuid, state }));
}

async function ask(verb: Verb, client: Client, fields: Fields): Promise<Question> {
  const found = await find(client, fields);
  const chosen = found.slice(0, MOST);
  const able = chosen.filter(({ state }) => verb.states.includes(state)).length;
  const states = STATES.flatMap((state) => {
    const n = chosen.filter((one) => one.state === state).length;
    return n === 0 ? [] : [`${count(n)} ${state}`];
  });
  const more = found.length > MOST
    ? html`<p>More than ${count(MOST)} match: ${count(MOST)} of them are meant, which can be repeated.</p>`
    : "";
  const name = verb.action;
  return {
    title: `${name[0].toUpperCase()}${name.slice(1)} ${plural(able, "envelope")}`,
    text: html`<p>${verb.says}</p><p>Chosen: ${states.join(", ") || "none"}. It does something to <b>${
      count(able)
    }</b> of them.</p>${more}`,
    button: `${name[0].toUpperCase()}${name.slice(1)} ${count(able)}`,
    fields: fields.get("all") ? { all: "yes", q: fields.get("q") ?? "" } : { uuid: fields.all("uuid") },
    inputs: name === "discard"
      ? html`<p><label for="reason">Reason</label> <input id="reason" name="reason" maxlength="500" value="Discarded by an operator"></p>`
      : undefined,
    nothing: able === 0,
  };
}

function said(verb: Verb, chosen: number, done: Done[], changed: Done[]): string {
  const asked = changed.filter(({ did }) => did === "requested").length;
  const told = asked === 0 ? "" : `; ${asked} of them run and were told to end`;
  const others = new Map<string, number>();
  for (const { did } of done) if (!verb.did.includes(did)) others.set(did, (others.get(did) ?? 0) + 1);
  const gone = chosen - done.length;
  const rest = [...others].map(([did, n]) => `${n} ${n === 1 ? "was" : "were"} ${did}`);
  if (gone > 0) rest.push(`${gone} ${gone === 1 ? "is" : "are"} gone`);
  return `${verb.past} ${plural(changed.length, "envelope")}${told}${
    rest.length > 0 ? `; ${rest.join(", ")}` : ""
  }`;
}
