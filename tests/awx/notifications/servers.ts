/**
 * Servers that take notifications, and refuse them when told to.
 *
 * @module
 */
import { createServer, type IncomingHttpHeaders, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { SMTPServer, type SMTPServerOptions } from "smtp-server";
import type { TestContext } from "../../harness.ts";

/** A mail that was taken. */
export interface Mail {
  from: string;
  to: string[];
  text: string;
}

export interface Smtp {
  port: number;
  mails: Mail[];
}

/** A mail server; without options it takes all from anybody. */
export async function smtp(t: TestContext, options: SMTPServerOptions = {}): Promise<Smtp> {
  const mails: Mail[] = [];
  const server = new SMTPServer({
    authOptional: true,
    disabledCommands: ["STARTTLS"],
    onData(stream, session, done) {
      let text = "";
      stream.setEncoding("utf8").on("data", (chunk: string) => text += chunk).on("end", () => {
        const { mailFrom, rcptTo } = session.envelope;
        mails.push({
          from: mailFrom ? mailFrom.address : "",
          to: rcptTo.map(({ address }) => address),
          text,
        });
        done();
      });
    },
    ...options,
  });
  server.on("error", () => {});
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  t.after(() => new Promise<void>((resolve) => server.close(() => resolve())));
  return { port: (server.server.address() as AddressInfo).port, mails };
}

/** An error that a mail server answers with. */
export function refusal(responseCode: number, message: string): Error {
  return Object.assign(new Error(message), { responseCode });
}

/** A request that came. */
export interface Hit {
  method: string;
  path: string;
  headers: IncomingHttpHeaders;
  body: unknown;
}

export interface Web {
  origin: string;
  hits: Hit[];
}

/** A web server that answers with these, one after the other, the last one for ever; null does not answer. */
export async function web(
  t: TestContext,
  ...answers: ({ status: number; text?: string; headers?: Record<string, string> } | null)[]
): Promise<Web> {
  const hits: Hit[] = [];
  const server: Server = createServer((request, response) => {
    let body = "";
    request.setEncoding("utf8").on("data", (chunk: string) => body += chunk).on("end", () => {
      const answer = answers[Math.min(hits.length, answers.length - 1)];
      hits.push({
        method: request.method!,
        path: request.url!,
        headers: request.headers,
        body: JSON.parse(body),
      });
      if (answer) response.writeHead(answer.status, answer.headers).end(answer.text ?? "");
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  t.after(() => {
    server.closeAllConnections();
    return new Promise<void>((resolve) => server.close(() => resolve()));
  });
  return { origin: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, hits };
}
