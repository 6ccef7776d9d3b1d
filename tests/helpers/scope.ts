/** What runs cleanup at its end: a test, or all tests of a file. */
export interface Scope {
  teardown(action: () => unknown, options?: { readonly force?: boolean }): void
}
