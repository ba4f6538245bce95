/**
 * What an action of the dashboard is: a question first, where a slip would hurt, then the deed, then a sentence.
 *
 * @module
 */
import type { Client } from "../../../client.ts";
import { DispatcherError } from "../../../errors.ts";
import type { Acted, Action } from "../../act.ts";
import type { Html } from "../bits.ts";

/** What a form or the query of a link says. */
export class Fields {
  readonly #params: URLSearchParams;

  constructor(params: URLSearchParams) {
    this.#params = params;
  }

  get(name: string): string | undefined {
    return this.#params.get(name)?.replaceAll("\0", "") || undefined;
  }

  all(name: string): string[] {
    return this.#params.getAll(name).filter((value) => value !== "");
  }

  /** @throws {DispatcherError} `usage` when it is missing. */
  need(name: string): string {
    const value = this.get(name);
    if (value === undefined) throw new DispatcherError("usage", `Cannot do this: the form has no ${name}`);
    return value;
  }
}

/** What is asked before it is done. */
export interface Question {
  title: string;
  /** What will happen. */
  text: Html;
  /** On the button. */
  button: string;
  /** Hidden fields of the form. */
  fields: Record<string, string | string[]>;
  /** What has to be typed before it is done. */
  typed?: string;
  /** More to fill in. */
  inputs?: Html;
  /** There is nothing to do. */
  nothing?: boolean;
}

/** What was done, and what to say of it. */
export interface Done extends Acted<string> {
  /** The page to show then, instead of the one that it came from. */
  then?: string;
}

/** An action. */
export interface Deed {
  /** Under which name it is recorded. */
  action: Action;
  /** What it is done to, for the record. */
  target(fields: Fields): string;
  ask?(client: Client, fields: Fields): Promise<Question>;
  /** Does it; the value is what to say. */
  run(client: Client, fields: Fields): Promise<Done>;
}
