/**
 * Who visits the dashboard without a script: keeps cookies, sends forms, goes where they lead.
 *
 * @module
 */
import assert from "node:assert/strict";
import type { Site } from "./site.ts";

export interface Answer {
  status: number;
  text: string;
  location: string | null;
}

/** What a deed came to: what the next page says, and where that is. */
export interface Said {
  text: string;
  location: string;
}

/**
 * Visit a site.
 *
 * @param step Milliseconds that pass before a request: after a second the cluster is looked at again.
 */
export function visitor({ ask, clock }: Pick<Site, "ask" | "clock">, step = 1_000) {
  let cookies = "";
  /** As a browser would: with its cookies. */
  async function get(path: string, init: RequestInit = {}): Promise<Answer> {
    await clock.advance(step);
    const response = await ask(path, { ...init, headers: { ...init.headers, cookie: cookies } });
    const set = response.headers.getSetCookie();
    if (set.length > 0) {
      cookies = set.filter((one) => !/Max-Age=0/.test(one)).map((one) => one.split(";")[0]).join("; ");
    }
    return {
      status: response.status,
      text: await response.text(),
      location: response.headers.get("location"),
    };
  }
  /** Send a form with the token of a page, and go where it leads. */
  async function send(path: string, fields: Record<string, string | string[]>): Promise<Said> {
    const [, token] = /name="_csrf"\s+value="([^"]+)"/.exec((await get("/help")).text) ?? [];
    const body = new URLSearchParams({ _csrf: token, back: "/queues" });
    for (const [name, value] of Object.entries(fields)) {
      for (const one of [value].flat()) body.append(name, one);
    }
    const answer = await get(path, { method: "POST", body, headers: { "sec-fetch-site": "same-origin" } });
    assert.equal(answer.status, 303, answer.text);
    const { text } = await get(answer.location!);
    return {
      text: /class="flash \w+"[^>]*>([^<]*)</.exec(text)?.[1].replaceAll("&quot;", '"') ?? "",
      location: answer.location!,
    };
  }
  /** The same, for whoever wants the sentence alone. */
  const act = async (path: string, fields: Record<string, string | string[]>) =>
    (await send(path, fields)).text;
  return { get, send, act };
}
