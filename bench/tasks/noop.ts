/** Does nothing. */
import { task } from "edge-dispatcher";

export default task((): void => {});
