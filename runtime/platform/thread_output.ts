/**
 * What a thread writes to its standard output and error, led to somebody who may take it. Done once in a thread's life,
 * and it costs nothing until something is written.
 *
 * @module
 */

/** One of the two ends of a thread. */
export type EndName = "stdout" | "stderr";

/** Whoever may take what is written. */
export interface Taker {
  /** False: it goes where it always went. */
  take(end: EndName, piece: string | Uint8Array): boolean;
  /** The thread is about to end by an error that nobody caught, where the runtime tells that beforehand. */
  breaking(): void;
}

// deno-lint-ignore no-explicit-any
const scope = globalThis as any;

/** Lead what this thread writes to a taker. */
export function divertOutput(taker: Taker): void {
  for (const end of ["stdout", "stderr"] as const) {
    if ("Deno" in scope) divertDeno(scope.Deno[end], end, taker);
    else if ("Bun" in scope) replaceStream(end, taker);
    else divertWhenAsked(end, taker);
  }
  if ("Deno" in scope) {
    for (const what of ["error", "unhandledrejection"]) scope.addEventListener(what, () => taker.breaking());
  } else scope.process.on("uncaughtExceptionMonitor", () => taker.breaking());
}

/** Deno's process.stdout writes through this too, at once; to ask for that one would load it, which takes 10 ms. */
// deno-lint-ignore no-explicit-any
function divertDeno(own: any, end: EndName, taker: Taker): void {
  const { write, writeSync } = own;
  const takes = (bytes: unknown) => bytes instanceof Uint8Array && taker.take(end, bytes);
  own.writeSync = (bytes: Uint8Array) => takes(bytes) ? bytes.length : writeSync.call(own, bytes);
  own.write = (bytes: Uint8Array) => takes(bytes) ? Promise.resolve(bytes.length) : write.call(own, bytes);
  Object.defineProperty(own, "writable", {
    configurable: true,
    // A new one each time: one attempt closes it, and the next one pipes too.
    get: () =>
      new WritableStream<Uint8Array>({
        async write(bytes) {
          for (let left = bytes; left.length > 0;) left = left.subarray(await own.write(left));
        },
      }),
  });
}

/** Node makes its streams when process.stdout is asked for, which most tasks never do. */
function divertWhenAsked(end: EndName, taker: Taker): void {
  const { process } = scope;
  const { get, ...own } = Object.getOwnPropertyDescriptor(process, end)!;
  let stream: unknown;
  Object.defineProperty(process, end, {
    ...own,
    get: () => stream ??= divertStream(get!.call(process), end, taker),
  });
}

/**
 * Bun loads its streams when process.stdout is asked for, which would be half of what a slot costs at its start. Only a
 * plain assignment replaces the property without making it, and there is no way back to it: so whoever asks gets the
 * stream that Bun makes for a pipe, which is what a host writes to.
 */
function replaceStream(end: EndName, taker: Taker): void {
  const { process } = scope;
  let stream: unknown;
  process[end] = undefined;
  Object.defineProperty(process, end, {
    configurable: true,
    enumerable: true,
    get: () => stream ??= divertStream(pipeEnd(end === "stdout" ? 1 : 2), end, taker),
  });
}

// deno-lint-ignore no-explicit-any
function pipeEnd(fd: number): any {
  const { WriteStream } = scope.process.getBuiltinModule("node:fs");
  const stream = new WriteStream(null, { fd, autoClose: false });
  stream._type = "fs";
  stream._isStdio = true;
  stream.destroySoon = stream.destroy;
  // Ended by one, it is there for the next.
  stream._destroy = (error: unknown, done: (error: unknown) => void) => {
    done(error);
    stream._undestroy();
  };
  return stream;
}

// deno-lint-ignore no-explicit-any
function divertStream(stream: any, end: EndName, taker: Taker): any {
  const { write } = stream;
  stream.write = (piece: unknown, ...how: unknown[]) => {
    const [encoding] = how;
    const done = how.find((given) => typeof given === "function");
    // What is neither text nor bytes it refuses itself.
    const isTaken = typeof piece === "string"
      ? taker.take(end, isPlain(encoding) ? piece : scope.Buffer.from(piece, encoding))
      : piece instanceof Uint8Array && taker.take(end, piece);
    if (!isTaken) return write.call(stream, piece, ...how);
    if (done) scope.process.nextTick(done);
    return true;
  };
  return stream;
}

function isPlain(encoding: unknown): boolean {
  return typeof encoding !== "string" || /^utf-?8$/i.test(encoding);
}
