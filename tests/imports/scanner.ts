/** What a source file imports and names, found without a parser. */

export interface Import {
  specifier: string;
  /**
   * `type` is erased before the program runs, `dynamic` is loaded when it is reached. So is `late`, which is written
   * `import("./x.ts" as string)`: Deno does not read it ahead.
   */
  kind: "static" | "type" | "dynamic" | "late";
  line: number;
}

/** List the imports and the exports from other modules of `source`; of dynamic imports those with a literal. */
export function importsOf(source: string): Import[] {
  const { code, strings } = blank(source);
  const found: { at: number; specifier: string; kind: Import["kind"] }[] = [];
  const note = (match: RegExpMatchArray, kind: Import["kind"]) => {
    const specifier = strings.get(match.index! + match[0].length - 1);
    if (specifier !== undefined) found.push({ at: match.index!, specifier, kind });
  };
  // A clause has names, commas, braces and stars only: nothing that would lead into the next statement.
  const clause = /(?<![\w$.])(?:import|export)(\s+type(?=[\s{*]))?[\w$\s{},*]*\bfrom\s*["']/g;
  for (const match of code.matchAll(clause)) note(match, match[1] ? "type" : "static");
  for (const match of code.matchAll(/(?<![\w$.])import\s*["']/g)) note(match, "static");
  // Only when the literal is the whole specifier: the closing quote is followed by `)` or `,`.
  const call = /(?<![\w$.])(typeof\s+)?import\s*\(\s*["'`](?=\s*["'`]\s*(as\s+string\s*)?[),])/g;
  for (const match of code.matchAll(call)) note(match, match[1] ? "type" : match[2] ? "late" : "dynamic");
  found.sort((a, b) => a.at - b.at);
  return found.map(({ at, specifier, kind }) => ({ specifier, kind, line: lineAt(source, at) }));
}

/** List where `Deno` or `Bun` stands as a name: `Deno.x`, `globalThis.Bun?.x`, but not the key in `{ Bun: 1 }`. */
export function runtimeGlobalsOf(source: string): { name: string; line: number }[] {
  const uses = blank(source).code.matchAll(/(?<![\w$#])(Deno|Bun)(?![\w$]|:)/g);
  return [...uses].map((match) => ({ name: match[1], line: lineAt(source, match.index) }));
}

function lineAt(source: string, at: number): number {
  return source.slice(0, at).split("\n").length;
}

interface Blanked {
  /** The source, every character at its place, with comments and the insides of literals made blank. */
  code: string;
  /** The text of each string, by the place of its opening quote; none of a template with a `${}`. */
  strings: Map<number, string>;
}

const COMMENT = /\/\/.*|\/\*[^]*?(?:\*\/|$)/y;
const STRING = /"(?:[^"\\\n]|\\[^])*"?|'(?:[^'\\\n]|\\[^])*'?/y;
const REGEXP = /\/(?![*/])(?:[^\\/[\n]|\\.|\[(?:[^\]\\\n]|\\.)*\])+\/[a-z]*/y;
const TEMPLATE = /[`}](?:[^`\\$]|\\[^]|\$(?!\{))*(?:`|\$\{|$)/y;
const WORD = /[\w$]+/y;
/** After these a `/` divides; after other words (`return`) and signs a regular expression begins. */
const DIVIDES = /[\w$)\]}"'`]$/;
const EXPECTS_VALUE = /(?:^|[^\w$.])(?:return|typeof|case|in|of|delete|void|throw|new|await|yield|else|do)$/;

/** Walk the source from literal to literal. A class since its steps share the place reached and the open braces. */
class Blanker {
  code = "";
  readonly strings = new Map<number, string>();
  /** One entry for each open `${` of a template: how many braces are open in it. */
  readonly #open: number[] = [];
  readonly #source: string;

  constructor(source: string) {
    this.#source = source;
  }

  run(): this {
    while (this.code.length < this.#source.length) this.#step(this.#source[this.code.length]);
    return this;
  }

  #step(char: string): void {
    const slash = char === "/" ? this.#next(COMMENT) ?? this.#regExp() : undefined;
    if (slash) this.#hide(slash);
    else if (char === '"' || char === "'") this.#string(this.#next(STRING)!);
    else if (char === "`" || (char === "}" && this.#open.at(-1) === 0)) this.#template(this.#next(TEMPLATE)!);
    else {
      const last = this.#open.length - 1;
      if (last >= 0 && char === "{") this.#open[last]++;
      if (last >= 0 && char === "}") this.#open[last]--;
      this.code += this.#next(WORD) ?? char;
    }
  }

  #next(pattern: RegExp): string | undefined {
    pattern.lastIndex = this.code.length;
    return pattern.exec(this.#source)?.[0];
  }

  #regExp(): string | undefined {
    const before = this.code.trimEnd();
    return !DIVIDES.test(before) || EXPECTS_VALUE.test(before) ? this.#next(REGEXP) : undefined;
  }

  #hide(text: string): void {
    this.code += text.replace(/[^\n]/g, " ");
  }

  #hideInside(text: string): void {
    this.code += text[0];
    this.#hide(text.slice(1, -1));
    if (text.length > 1) this.code += text.at(-1);
  }

  #string(text: string): void {
    this.strings.set(this.code.length, text.slice(1, -1));
    this.#hideInside(text);
  }

  /** A piece of a template: from its backtick, or the `}` of an expression, to a `${` or the closing backtick. */
  #template(piece: string): void {
    if (piece[0] === "}") this.#open.pop();
    else if (piece.length > 1 && piece.endsWith("`")) this.strings.set(this.code.length, piece.slice(1, -1));
    this.#hideInside(piece);
    if (piece.endsWith("${")) this.#open.push(0);
  }
}

function blank(source: string): Blanked {
  return new Blanker(source).run();
}
