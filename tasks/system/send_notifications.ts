/** The name that AWX has for it: `awx.main.tasks.system.send_notifications`. */
export { default } from "../notifications/send_notifications.ts";
