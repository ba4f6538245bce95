/** Acts for a peer: publishes, and works where its workers are processes of its own. */
import { act } from "../actor.ts";
import { Publisher } from "../publisher.ts";
import type { OpenPeer } from "./peer.ts";

await act(async ({ peer, url }) => {
  const { open }: { open: OpenPeer } = await import(`./${peer}.ts`);
  return new Publisher(await open(url));
});
