/** Does nothing, as poolifier wants it. */
import { ThreadWorker } from "poolifier";

export default new ThreadWorker(() => {}, { maxInactiveTime: 3_600_000 });
