import type { Scope } from './scope.js'

/** Releases what a test, or all tests of a file, opened. Runs at the end, in reverse order of opening. */
export class Cleanup {
  readonly #actions: (() => unknown)[] = []

  constructor(scope: Scope) {
    scope.teardown(
      async () => {
        for (let action = this.#actions.pop(); action; action = this.#actions.pop()) await action()
      },
      { force: true },
    )
  }

  add(action: () => unknown): void {
    this.#actions.push(action)
  }
}
