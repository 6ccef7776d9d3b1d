import type { Scope } from './scope.js'

/**
 * What the tests of a file have in common because it takes long to start: a mesh, a server, an engine. It is
 * started by the first test that asks for it, and the last test of the file ends it.
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

  /** Undoes what the start has opened, the last first. */
  async end(): Promise<void> {
    this.#value = null
    for (let action = this.#teardowns.pop(); action; action = this.#teardowns.pop()) await action()
  }
}
