/** Our pool, which opens slots when it is asked to, as its sizer does. */
import { act } from "../actor.ts";
import { ownPool } from "../pool/own_pool.ts";

await act(async ({ most }) => {
  let heard = () => {};
  const pool = await ownPool(0, most, { finished: () => {}, room: () => heard() });
  const ready = () => pool.fleet.counted().filter((slot) => slot.state === "ready").length;
  return {
    /** Milliseconds until there are so many. */
    async grow(to: number) {
      const began = performance.now();
      for (let have = pool.fleet.counted().length; have < to; have++) pool.fleet.open(false);
      while (ready() < to) await new Promise<void>((resolve) => heard = resolve);
      return performance.now() - began;
    },
  };
});
