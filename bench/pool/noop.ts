/** Does nothing, for pools that call a module's default. */
export default (): void => {};
