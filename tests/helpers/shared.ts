import type { Scope } from './scope.js'

/**
 * A fixture that the tests of a file share because it starts slowly: a mesh, a server, an engine. It is
 * started by the first test that uses it, and closed by the last test of the file.
 */
export class Shared<Value> {
  readonly #start: (scope: Scope) => Value | Promise<Value>
  readonly #teardowns: (() => unknown)[] = []
  #value: Promise<Value> | null = null

  constructor(start: (scope: Scope) => Value | Promise<Value>) {
    this.#start = start
  }

  get(): Promise<Value> {
    this.#value ??= (async () =>
      await this.#start({ teardown: (action) => this.#teardowns.push(action) }))()
    return this.#value
  }

  /** Releases what the start has opened, in reverse order. */
  async end(): Promise<void> {
    this.#value = null
    for (let action = this.#teardowns.pop(); action; action = this.#teardowns.pop()) await action()
  }
}
