/**
 * The part of the store's port that keeps what attempts print and say.
 *
 * @module
 */

/** A line on its way to the database. */
export interface NewLine {
  uuid: string;
  fence: number;
  /** Counts the lines of this execution. */
  seq: number;
  attempt: number;
  /** Milliseconds since it was said. */
  age: number;
  level: string;
  text: string;
}

/** A place among the lines of one envelope. */
export interface LinePlace {
  fence: number;
  seq: number;
}

/** A line as it was kept. */
export interface LogLine extends LinePlace {
  uuid: string;
  attempt: number;
  node: string;
  at: string;
  level: string;
  text: string;
}

/** Which lines of an envelope. */
export interface LogFilter {
  attempt?: number;
  /** Those behind this one. */
  after?: LinePlace;
  limit: number;
}

/** The log's part of the port. */
export interface LogStore {
  /** Keep lines; those that are there already change nothing. */
  writeLog(node: string, lines: NewLine[]): Promise<void>;
  /** The lines of an envelope in their order. */
  readLog(uuid: string, filter: LogFilter): Promise<LogLine[]>;
}
