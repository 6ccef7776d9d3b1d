import type { MemoryLink } from '../../helpers/network/memory/memory-network.js'
import type { Observation } from './observation.js'

/** A processor when nothing is asked any more. */
export interface IdleProcessor {
  readonly name: string
  /** Answers in progress, and requests that wait for a slot, as it reports them. */
  readonly busy: number
  /** Answers that its engine is producing. */
  readonly generations: number
}

/** A mesh in which every request has ended and no fault is in effect. */
export interface MeshAtRest {
  readonly processors: readonly IdleProcessor[]
  /** Streams that are being answered, by the worker that answers. */
  readonly streams: readonly { readonly name: string; readonly count: number }[]
  readonly links: readonly MemoryLink[]
  /** Clients whose last requests were refused, after all faults were over and much time to recover. */
  readonly unanswered: readonly { readonly client: string; readonly code: string }[]
}

/** A mesh whose workers have all left. */
export interface EndedMesh {
  /** Timers that a worker has not cancelled. */
  readonly timers: readonly { readonly name: string; readonly count: number }[]
  readonly links: readonly MemoryLink[]
}

/** What must hold in every run. Judges what is observed from outside. */
export abstract class Invariant {
  abstract readonly name: string
  #violation: string | null = null

  /** What was violated first; null if nothing was. */
  get violation(): string | null {
    return this.#violation
  }

  observe(_observation: Observation, _nowMs: number): void {}

  /** All requests have ended and all faults are over, since a while. */
  atRest(_mesh: MeshAtRest, _nowMs: number): void {}

  /** All workers were told to leave, and have. */
  atEnd(_mesh: EndedMesh): void {}

  protected violated(message: string): void {
    this.#violation ??= message
  }
}
