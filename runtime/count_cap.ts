/**
 * Where counts stop.
 *
 * @module
 */

/** Counts for people go up to this number, so that none of them reads a whole table; one more stands for "more than". */
export const COUNT_CAP = 10_000;
