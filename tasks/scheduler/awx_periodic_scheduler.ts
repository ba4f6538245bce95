/**
 * The periodic scheduler: launches the schedules that are due (docs/control-plane/schedules.md). It looks every 20 s.
 *
 * @module
 */
import { task, type TaskContext } from "edge-dispatcher";

export default task({ bind: true, maxAttempts: 3, backoff: 1 }, async function awxPeriodicScheduler(
  context: TaskContext,
) {
  const { launchDue } = await import("./due.ts");
  const launched = await context.transaction(async (tx, publish) => {
    const launched = await launchDue(tx, publish);
    if (launched.more) {
      await publish("scheduler/awx_periodic_scheduler", [], { onDuplicate: "queue_one", priority: -100 });
    }
    return launched;
  });
  for (const { name, why } of launched.disabled) {
    context.log(`Schedule "${name}" was turned off: ${why}`, "warning");
  }
  for (const { name, why } of launched.refused) {
    context.log(`Schedule "${name}" was not launched: ${why}`, "warning");
  }
  return launched;
});
