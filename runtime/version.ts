/** The version of this package, as package.json and deno.json have it; a test compares the three. */
export const VERSION = "0.1.0";
