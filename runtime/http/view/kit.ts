/**
 * What pages of an extension are made of; `edge-dispatcher/view`.
 *
 * @module
 */
export type { Chapter, Deeds } from "./book.ts";
export type { Drawn, Page, PageContext, Place, Section } from "./page.ts";
export { type Deed, type Done, Fields, type Question } from "./actions/action.ts";
export type { Acted } from "../act.ts";
export { COUNT_CAP } from "../../count_cap.ts";
export { isSecretName, redact, redactLine } from "../../redact.ts";
export { didYouMean } from "../../suggest.ts";
export { quoted, type Word, words } from "./search.ts";
export { type Step, stepLine } from "./timeline.ts";
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
export {
  age,
  bytes,
  clockTime,
  count,
  duration,
  exactTime,
  number,
  plural,
  pretty,
  secondsBetween,
  short,
} from "./format.ts";
