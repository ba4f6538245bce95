import { task } from "edge-dispatcher";

export default task({ bind: true }, (context, seconds: number): Promise<number> => {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => resolve(seconds), seconds * 1000);
    context.signal.addEventListener("abort", () => {
      clearTimeout(timer);
      reject(context.signal.reason);
    });
  });
});
