/**
 * The names of the channels. A queue is heard on the channel of its own name, so that a dispatcherd publisher
 * needs to know nothing else; our own hints have channels apart, so that they are never taken for a task.
 *
 * @module
 */

/** "There is work in this queue"; an empty payload says that something became due at another time. */
export const WAKE_CHANNEL = "dispatcher_wake";
/** Uuids, separated by commas, that were settled and that somebody watches. */
export const SETTLED_CHANNEL = "dispatcher_settled";

/** Where callback receivers are asked, apart from the nodes: who waits for those must not count these. */
export const RECEIVERS_CHANNEL = "awx_receivers";

/** Where a node hears of what is handed to it. Arguments go that way: whoever may not read them must not guess it. */
export function handChannel(): string {
  return `dispatcher_hand_${crypto.randomUUID().replaceAll("-", "_")}`;
}

/** A channel for the replies to one request. */
export function replyChannel(): string {
  return `dispatcher_reply_${crypto.randomUUID().replaceAll("-", "_")}`;
}

/** The channel on which a node hears itself. */
export function checkChannel(instance: string): string {
  return `dispatcher_check_${instance.replaceAll("-", "_")}`;
}
