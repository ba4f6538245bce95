/**
 * All commands by name; two words where one groups several.
 *
 * @module
 */
import type { Command } from "../command.ts";
import { callbackReceiver } from "./callback_receiver.ts";
import { cancel } from "./cancel.ts";
import { completionsBash, completionsFish, completionsZsh } from "./completions.ts";
import { configCheck, configSchemaCommand, configShow } from "./config.ts";
import { control } from "./control.ts";
import { dbStart, dbStatus, dbStop, dbUrl } from "./db.ts";
import { doctor } from "./doctor.ts";
import { deployDocker, deployKubernetes, deploySystemd } from "./deploy.ts";
import { discard } from "./discard.ts";
import { dispatcher } from "./dispatcher.ts";
import { aioTasks, chunks, mainCommand, metrics, producers, setLogLevel, workers } from "./dispatcherctl.ts";
import { events } from "./events.ts";
import { failures } from "./failures.ts";
import { healthLive, healthReady } from "./health.ts";
import { init } from "./init.ts";
import { list } from "./list.ts";
import { migrateRoles, migrateSql, migrateStatus, migrateUp } from "./migrate.ts";
import { logs } from "./logs.ts";
import { nodeList, nodePing } from "./node.ts";
import { nodeDrain, nodeLogLevel, nodeResume, nodeScale } from "./node_act.ts";
import { nodeShow } from "./node_show.ts";
import { publish } from "./publish.ts";
import { queueList, queuePause, queuePurge, queueResume } from "./queue.ts";
import { result } from "./result.ts";
import { retry } from "./retry.ts";
import { running } from "./running.ts";
import { scheduleList, scheduleNext, schedulePause, scheduleResume, scheduleRun } from "./schedule.ts";
import { show } from "./show.ts";
import { status } from "./status.ts";
import { top } from "./top.ts";
import { why } from "./why.ts";

export const COMMANDS: Readonly<Record<string, Command>> = {
  dispatcher,
  "callback-receiver": callbackReceiver,
  publish,
  status,
  top,
  running,
  list,
  show,
  result,
  why,
  logs,
  failures,
  events,
  cancel,
  retry,
  discard,
  "queue list": queueList,
  "queue pause": queuePause,
  "queue resume": queueResume,
  "queue purge": queuePurge,
  "node list": nodeList,
  "node show": nodeShow,
  "node ping": nodePing,
  "node drain": nodeDrain,
  "node resume": nodeResume,
  "node scale": nodeScale,
  "node log-level": nodeLogLevel,
  alive: nodePing,
  "schedule list": scheduleList,
  "schedule run": scheduleRun,
  "schedule pause": schedulePause,
  "schedule resume": scheduleResume,
  "schedule next": scheduleNext,
  control,
  workers,
  producers,
  main: mainCommand,
  metrics,
  chunks,
  aio_tasks: aioTasks,
  set_log_level: setLogLevel,
  migrate: migrateUp,
  "migrate up": migrateUp,
  "migrate status": migrateStatus,
  "migrate sql": migrateSql,
  "migrate roles": migrateRoles,
  doctor,
  "db start": dbStart,
  "db status": dbStatus,
  "db stop": dbStop,
  "db url": dbUrl,
  "config show": configShow,
  "config check": configCheck,
  "config schema": configSchemaCommand,
  "health live": healthLive,
  "health ready": healthReady,
  "completions bash": completionsBash,
  "completions zsh": completionsZsh,
  "completions fish": completionsFish,
  "deploy systemd": deploySystemd,
  "deploy docker": deployDocker,
  "deploy kubernetes": deployKubernetes,
  init,
};
