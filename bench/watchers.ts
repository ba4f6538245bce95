/** Those who look at a dashboard: so many open streams, read as a browser would. */
import { act } from "./actor.ts";

await act(({ url, count }: { url: string; count: number }) => {
  const read = { events: 0, bytes: 0 };

  /** Read one stream for ever; resolves with its first event. */
  async function watch(): Promise<void> {
    const answer = await fetch(url, { headers: { accept: "text/event-stream" } });
    if (!answer.ok || !answer.body) throw new Error(`${url} answers ${answer.status}`);
    const first = Promise.withResolvers<void>();
    void (async () => {
      for await (const chunk of answer.body!) {
        read.events++;
        read.bytes += chunk.length;
        first.resolve();
      }
      first.reject(new Error(`${url} ended`));
    })().catch(first.reject);
    await first.promise;
  }

  return {
    open: () => Promise.all(Array.from({ length: count }, watch)),
    read: () => read,
  };
});
