/** A busy loop that no abort reaches: only a kill ends it. For trying out timeouts. */
import { task } from "edge-dispatcher";

export default task((): never => {
  for (;;);
});
