import { Invariant } from './invariant.js'
import type { Observation } from './observation.js'

/** How often an answer may be begun: once more if the worker that had the request was lost. */
const MOST_GENERATIONS = 2

/** Faults that delay what is on its way. */
const HOLD_UP: readonly string[] = ['stall', 'partition', 'weather']

/**
 * What must not be repeated is done at most once: an address that was never registered before is not taken, and no
 * answer is begun again after its first token was read, unless a request that was sent before was held up on its way.
 */
export class DoneOnce extends Invariant {
  readonly name = 'done-once'
  readonly #first = new Set<string>()
  readonly #read = new Set<string>()
  readonly #generations = new Map<string, number>()
  /** Answers that a worker that left has given back are begun again any number of times. */
  #leaves = 0
  /** Whether requests may arrive long after they were given up. */
  #areHeldUp = false

  override observe(observation: Observation): void {
    switch (observation.kind) {
      case 'registering':
        if (observation.isFirstTime) this.#first.add(observation.email)
        else this.#first.delete(observation.email)
        break
      case 'registered':
        if (observation.code === 'EMAIL_TAKEN' && this.#first.has(observation.email)) {
          this.violated(`${observation.email} was registered twice by one request`)
        }
        break
      case 'token':
        this.#read.add(observation.request)
        break
      case 'generating':
        this.#begun(observation.request)
        break
      case 'fault':
        if (observation.what === 'leave') this.#leaves += 1
        this.#areHeldUp ||= HOLD_UP.includes(observation.what)
        break
      default:
    }
  }

  #begun(request: string): void {
    const times = (this.#generations.get(request) ?? 0) + 1
    this.#generations.set(request, times)
    if (this.#read.has(request) && !this.#areHeldUp)
      this.violated(`${request} was begun again after its first token`)
    if (times > MOST_GENERATIONS + this.#leaves) {
      this.violated(`${request} was begun ${times} times`)
    }
  }
}
