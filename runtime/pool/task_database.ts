/**
 * The connections that the tasks of one worker share; loaded by the first task that asks for them.
 *
 * @module
 */
import process from "node:process";
import { connect, type Sql } from "../store/connection.ts";

/** Of sixty workers each, with room for as many nodes as a server has connections for. */
const MOST = 2;
const IDLE_SECONDS = 5;
/** What a task asks may take longer than what a node does. */
const ANSWER_SECONDS = 300;

let shared: Sql | undefined;

/** Open them; each connects with its first statement, and not for long. */
export function taskDatabase(): Sql {
  shared ??= connect(process.env.DATABASE_URL ?? "", {
    max: MOST,
    idleSeconds: IDLE_SECONDS,
    answerSeconds: ANSWER_SECONDS,
    // The way may lead through a pooler.
    prepare: false,
    application: `edge-dispatcher task ${process.env.DISPATCHER_NODE ?? ""}`.slice(0, 63),
  });
  return shared;
}
