/**
 * A node's name: taken at the start, refused while somebody else's lease lives, and taken again under a new instance
 * when the lease was lost.
 *
 * @module
 */
import { DispatcherError } from "../errors.ts";
import type { NodeRegistration, Store } from "../store/store.ts";

/** What taking a name needs besides the name. */
export interface RegistrationParts {
  store: Pick<Store, "register">;
  /** Whether the process behind an identity is known to be dead, so that its lease need not be waited for. */
  isKnownDead(boot: string, pid: number): boolean;
}

/**
 * Take the name; returns how many envelopes of dead nodes were given back on the way.
 *
 * @throws {DispatcherError} `name_taken`, naming who has it and until when.
 */
export async function takeName(registration: NodeRegistration, parts: RegistrationParts): Promise<number> {
  const registered = await parts.store.register(registration);
  if (registered.ok) return registered.rescued;
  const { holder } = registered;
  if (!registration.replaces && parts.isKnownDead(holder.boot, holder.pid)) {
    return await takeName({ ...registration, replaces: holder.instance }, parts);
  }
  throw new DispatcherError(
    "name_taken",
    `Cannot start node "${registration.name}": the name is held by pid ${holder.pid} on ${holder.host} (${holder.runtime}), ` +
      `last seen ${holder.last_seen}, lease until ${holder.lease_until}`,
  );
}
