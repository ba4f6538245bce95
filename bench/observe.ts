/**
 * What does it cost that each envelope is counted for metrics, charts and live rates? In the dispatcher's thread alone,
 * events included, beside the same loop in which nobody listens.
 *
 * @module
 */
import { type Answer, OURS, type Question, type Row, spread } from "./question.ts";
import { takeTurns } from "./rounds.ts";

export default {
  question: "nanoseconds of the dispatcher's CPU for counting one envelope, from its claim to its end",
  async run(site) {
    const count = site.quick ? 200_000 : 1_000_000;
    const answer: Answer = {};
    for (const runtime of site.runtimes) {
      const actor = site.actor("observer.ts", {}, runtime);
      // Engines compile what runs often.
      for (const counts of [true, false]) await actor.call("observe", count, counts);
      const measured = await takeTurns(site, [true, false], (counts) => {
        return actor.call<number>("observe", count, counts);
      });
      await actor.stop();
      answer[runtime] = [...measured].map(([counts, nanoseconds]): Row => ({
        peer: OURS,
        counts: String(counts),
        ...spread("nanoseconds", nanoseconds),
      }));
    }
    return answer;
  },
} satisfies Question;
