/**
 * Messages on a byte stream: one a line.
 *
 * @module
 */
import type { Socket } from "node:net";

/** What one line takes at most; a peer that sends more without a line feed is cut off. */
const LINE_CHARS = 16 * 1024 * 1024;

/** Call `line` for every line that comes, until the stream ends. */
export function readSocketLines(socket: Socket, line: (text: string) => void): void {
  let rest = "";
  socket.setEncoding("utf8");
  socket.on("data", (chunk: string) => {
    const lines = (rest + chunk).split("\n");
    rest = lines.pop()!;
    for (const text of lines) if (text.trim() !== "") line(text);
    if (rest.length > LINE_CHARS) socket.destroy(new Error("A message is too long"));
  });
  socket.on("end", () => rest.trim() !== "" && line(rest));
}
