/**
 * What pages of an extension are made of; `edge-dispatcher/view`.
 *
 * @module
 */
export type { Chapter, Deeds } from "./book.ts";
export type { Drawn, Page, PageContext, Place, Section } from "./page.ts";
export { type Deed, Fields, type Question } from "./actions/action.ts";
export type { Acted } from "../act.ts";
export {
  ago,
  askButton,
  badge,
  type Column,
  envelopeLink,
  type FormButton,
  formButton,
  hidden,
  type Html,
  html,
  NONE,
  panel,
  raw,
  sparkline,
  table,
  type TableOptions,
  type Tone,
  when,
} from "./bits.ts";
export { age, bytes, clockTime, count, duration, exactTime, plural, secondsBetween } from "./format.ts";
