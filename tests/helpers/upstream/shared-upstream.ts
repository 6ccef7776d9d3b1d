import type { Scope } from '../scope.js'
import type { StandInServer } from './stand-in-server.js'

/** A server that the tests of a file have in common, started by whoever asks first. */
export class SharedUpstream {
  readonly #start: (scope: Scope) => Promise<StandInServer>
  readonly #teardowns: (() => unknown)[] = []
  #server: Promise<StandInServer> | null = null

  constructor(start: (scope: Scope) => Promise<StandInServer>) {
    this.#start = start
  }

  server(): Promise<StandInServer> {
    this.#server ??= this.#start({ teardown: (action) => this.#teardowns.push(action) })
    return this.#server
  }

  /** Frees everything: for the last test of a file. */
  async end(): Promise<void> {
    for (let action = this.#teardowns.pop(); action; action = this.#teardowns.pop()) await action()
  }
}
