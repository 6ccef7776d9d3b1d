import { type EndedMesh, Invariant } from './invariant.js'
import { nameOf, type Observation } from './observation.js'

/** A reader that has not read for this long has stopped the engine, whatever is in between. */
const STOPPED_AFTER_MS = 1_500
/** For so long after a fault, what was sent before it may still be on its way. */
const FAULT_MS = 5_000

/**
 * What is kept is bounded and given back: a reader that does not read stops the engine, and workers that have left
 * keep no timer and no connection.
 */
export class NothingGrows extends Invariant {
  readonly name = 'nothing-grows'
  readonly #pausedSinceMs = new Map<string, number>()
  #faultAtMs = Number.NEGATIVE_INFINITY

  override observe(observation: Observation, nowMs: number): void {
    switch (observation.kind) {
      case 'paused':
        this.#pausedSinceMs.set(observation.request, nowMs)
        break
      case 'resumed':
      case 'ended':
        this.#pausedSinceMs.delete(observation.request)
        break
      case 'fault':
      case 'mended':
        this.#faultAtMs = nowMs
        break
      case 'produced':
        this.#onProduced(observation.request, nowMs)
        break
      default:
    }
  }

  override atEnd({ timers, links }: EndedMesh): void {
    for (const { name, count } of timers) {
      if (count > 0) this.violated(`${name} has left and kept ${count} timers`)
    }
    for (const link of links) this.violated(`${nameOf(link)} is open though all workers have left`)
  }

  #onProduced(request: string, nowMs: number): void {
    const pausedMs = nowMs - (this.#pausedSinceMs.get(request) ?? nowMs)
    if (pausedMs < STOPPED_AFTER_MS || nowMs - this.#faultAtMs < pausedMs + FAULT_MS) return
    this.violated(
      `${request} has not been read for ${Math.round(pausedMs)} ms, and its engine goes on`,
    )
  }
}
