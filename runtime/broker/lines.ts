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
  // Pieces, not one text: to look through a long line again with every piece of it takes seconds.
  let rest: string[] = [];
  let length = 0;
  socket.setEncoding("utf8");
  socket.on("data", (chunk: string) => {
    const lines = chunk.split("\n");
    const last = lines.pop()!;
    if (lines.length > 0) {
      lines[0] = rest.join("") + lines[0];
      rest = [];
      length = 0;
    }
    for (const text of lines) if (text.trim() !== "") line(text);
    rest.push(last);
    length += last.length;
    if (length > LINE_CHARS) socket.destroy(new Error("A message is too long"));
  });
  socket.on("end", () => {
    const text = rest.join("");
    if (text.trim() !== "") line(text);
  });
}
