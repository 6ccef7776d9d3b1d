import { Invariant, type MeshAtRest } from './invariant.js'
import type { Observation } from './observation.js'

/** Every request ends exactly once, whatever becomes of the workers that had it. */
export class RequestsEndOnce extends Invariant {
  readonly name = 'requests-end-once'
  readonly #open = new Set<string>()
  readonly #ended = new Set<string>()

  override observe(observation: Observation): void {
    if (observation.kind === 'asked') this.#open.add(observation.request)
    if (observation.kind === 'token' && this.#ended.has(observation.request)) {
      this.violated(`${observation.request} had ended and went on`)
    }
    if (observation.kind !== 'ended') return
    const { request, code } = observation
    if (!this.#open.delete(request)) this.violated(`${request} ended twice, now with ${code}`)
    this.#ended.add(request)
  }

  override atRest({ streams }: MeshAtRest): void {
    if (this.#open.size > 0) this.violated(`never ended: ${[...this.#open].join(', ')}`)
    for (const { name, count } of streams) {
      if (count > 0) this.violated(`${name} still answers ${count} streams that nobody reads`)
    }
  }
}
