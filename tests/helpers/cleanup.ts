import type { Scope } from './scope.js'

/** Undoes, when its test, or the last test of a file, is over, what was opened for it: the last first. */
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
