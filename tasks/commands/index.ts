/**
 * The commands of the control plane by name, `awx GROUP VERB`. Loaded when the command line does not know a word itself.
 *
 * @module
 */
import type { Command } from "edge-dispatcher/command";
import { adhocRun } from "./adhoc.ts";
import {
  credentialCreate,
  credentialDelete,
  credentialList,
  credentialModify,
  credentialShow,
} from "./credential.ts";
import { groupAdd, groupCreate, groupDelete, groupList, groupModify, groupRemove } from "./group.ts";
import { hostCreate, hostDelete, hostDisable, hostEnable, hostModify } from "./host.ts";
import {
  instanceAdjust,
  instanceDelete,
  instanceDisable,
  instanceEnable,
  instanceList,
  instanceShow,
} from "./instance.ts";
import {
  inventoryCreate,
  inventoryDelete,
  inventoryHosts,
  inventoryImport,
  inventoryList,
  inventoryModify,
  inventoryShow,
} from "./inventory.ts";
import { jobCancel, jobLaunch, jobRelaunch } from "./job.ts";
import { jobEvents, jobStdout } from "./job_output.ts";
import { jobList, jobShow } from "./job_show.ts";
import {
  notificationAttach,
  notificationCreate,
  notificationDelete,
  notificationDetach,
  notificationList,
  notificationModify,
  notificationTest,
} from "./notification.ts";
import {
  projectCreate,
  projectDelete,
  projectList,
  projectModify,
  projectShow,
  projectUpdate,
} from "./project.ts";
import {
  scheduleCreate,
  scheduleDelete,
  scheduleDisable,
  scheduleEnable,
  scheduleList,
  scheduleNext,
} from "./schedule.ts";
import { settingGet, settingList, settingReset, settingSet } from "./setting.ts";
import { apply, exported } from "./site.ts";
import { sourceCreate, sourceDelete, sourceList, sourceModify, sourceShow, sourceUpdate } from "./source.ts";
import { templateCreate, templateDelete, templateList, templateModify, templateShow } from "./template.ts";
import {
  workflowCreate,
  workflowDelete,
  workflowLaunch,
  workflowList,
  workflowModify,
  workflowShow,
} from "./workflow.ts";

export const commands: Readonly<Record<string, Command>> = {
  "awx job launch": jobLaunch,
  "awx job list": jobList,
  "awx job show": jobShow,
  "awx job stdout": jobStdout,
  "awx job events": jobEvents,
  "awx job cancel": jobCancel,
  "awx job relaunch": jobRelaunch,
  "awx adhoc run": adhocRun,
  "awx template list": templateList,
  "awx template show": templateShow,
  "awx template create": templateCreate,
  "awx template modify": templateModify,
  "awx template update": templateModify,
  "awx template delete": templateDelete,
  "awx workflow list": workflowList,
  "awx workflow show": workflowShow,
  "awx workflow create": workflowCreate,
  "awx workflow modify": workflowModify,
  "awx workflow launch": workflowLaunch,
  "awx workflow delete": workflowDelete,
  "awx schedule list": scheduleList,
  "awx schedule create": scheduleCreate,
  "awx schedule enable": scheduleEnable,
  "awx schedule disable": scheduleDisable,
  "awx schedule next": scheduleNext,
  "awx schedule delete": scheduleDelete,
  "awx project list": projectList,
  "awx project show": projectShow,
  "awx project create": projectCreate,
  "awx project modify": projectModify,
  "awx project update": projectUpdate,
  "awx project delete": projectDelete,
  "awx inventory list": inventoryList,
  "awx inventory show": inventoryShow,
  "awx inventory create": inventoryCreate,
  "awx inventory modify": inventoryModify,
  "awx inventory import": inventoryImport,
  "awx inventory hosts": inventoryHosts,
  "awx inventory delete": inventoryDelete,
  "awx source list": sourceList,
  "awx source show": sourceShow,
  "awx source create": sourceCreate,
  "awx source modify": sourceModify,
  "awx source update": sourceUpdate,
  "awx source delete": sourceDelete,
  "awx host create": hostCreate,
  "awx host modify": hostModify,
  "awx host enable": hostEnable,
  "awx host disable": hostDisable,
  "awx host delete": hostDelete,
  "awx credential list": credentialList,
  "awx credential show": credentialShow,
  "awx credential create": credentialCreate,
  "awx credential modify": credentialModify,
  "awx credential delete": credentialDelete,
  "awx notification list": notificationList,
  "awx notification create": notificationCreate,
  "awx notification modify": notificationModify,
  "awx notification attach": notificationAttach,
  "awx notification detach": notificationDetach,
  "awx notification test": notificationTest,
  "awx notification delete": notificationDelete,
  "awx instance list": instanceList,
  "awx instance show": instanceShow,
  "awx instance enable": instanceEnable,
  "awx instance disable": instanceDisable,
  "awx instance adjust": instanceAdjust,
  "awx instance delete": instanceDelete,
  "awx group list": groupList,
  "awx group create": groupCreate,
  "awx group modify": groupModify,
  "awx group add": groupAdd,
  "awx group remove": groupRemove,
  "awx group delete": groupDelete,
  "awx setting list": settingList,
  "awx setting get": settingGet,
  "awx setting set": settingSet,
  "awx setting reset": settingReset,
  "awx apply": apply,
  "awx export": exported,
};
