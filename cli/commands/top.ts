import process from "node:process";
import type { Client } from "../../runtime/client.ts";
import type { NodeStatus } from "../../runtime/control/node_status.ts";
import { errorLine } from "../../runtime/errors.ts";
import { usage } from "../args.ts";
import { type Command, DATABASE_FLAGS } from "../command.ts";
import { type Look, topScreen } from "../top/screen.ts";
import { ratesOf } from "./queue.ts";
import { takeTerminal } from "../top/terminal.ts";

const EVERY_MS = 1_000;
/** Seconds that nodes have to answer; a dead one must not hold up the picture. */
const ANSWER_SECONDS = 0.8;

/** Nodes with their slots, queues, and what runs, once a second. */
export const top: Command = {
  summary: "Show nodes, queues and what runs, full screen, once a second",
  usage: "",
  flags: DATABASE_FLAGS,
  async run({ client: open, io }) {
    if (!io.tty || process.stdin.isTTY !== true) {
      throw usage("Cannot show top: it needs a terminal; `status --json` and `queue list --json` do not");
    }
    const client = await open();
    let latest = await firstLook(client);
    const view = { paused: false, scroll: 0 };
    const over = Promise.withResolvers<void>();
    const terminal = takeTerminal({
      key(key) {
        if (key === "quit") return over.resolve();
        if (key === "pause") view.paused = !view.paused;
        else view.scroll += key === "up" ? -1 : 1;
        draw();
      },
      resized: () => draw(),
    });
    const draw = () => {
      const { lines, scroll } = topScreen(latest, { ...view, ...terminal.size() });
      view.scroll = scroll;
      terminal.draw(lines);
    };
    let ended = false;
    void over.promise.then(() => ended = true);
    try {
      draw();
      while (!ended) {
        await Promise.race([over.promise, new Promise((resolve) => setTimeout(resolve, EVERY_MS))]);
        if (ended || view.paused) continue;
        const next = await Promise.race([over.promise, look(client, latest)]);
        if (next) latest = next;
        if (!ended) draw();
      }
    } finally {
      terminal.restore();
    }
  },
};

/** Before the terminal is taken: what fails here is told as of any command. */
async function firstLook(client: Client): Promise<Look> {
  const nodes = await client.nodes();
  return await lookAt(client, nodes);
}

async function look(client: Client, before: Look): Promise<Look> {
  try {
    return await lookAt(client, await client.nodes());
  } catch (error) {
    return { ...before, fault: errorLine(error), at: new Date() };
  }
}

async function lookAt(client: Client, nodes: Look["nodes"]): Promise<Look> {
  const expected = nodes.filter(({ alive }) => alive).length;
  const [replies, queues, rates] = await Promise.all([
    client.control("node_status", undefined, { timeout: ANSWER_SECONDS, expected }),
    client.queues(),
    client.rates(ANSWER_SECONDS),
  ]);
  const answers = new Map(
    (replies as unknown as NodeStatus[]).filter(({ node_id }) => node_id !== undefined)
      .sort((a, b) => a.node_id < b.node_id ? -1 : 1).map((answer) => [answer.node_id, answer]),
  );
  return { at: new Date(), nodes, answers, queues, rates: ratesOf(rates), fault: null };
}
