import type { Test } from 'brittle'

/** Undoes, when its test is over, what was opened for it: the last first. */
export class Cleanup {
  readonly #actions: (() => unknown)[] = []

  constructor(t: Test) {
    t.teardown(
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
