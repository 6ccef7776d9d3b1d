import type { MemoryLink } from '../../helpers/network/memory/memory-network.js'
import { Invariant, type MeshAtRest } from './invariant.js'
import { nameOf, type Observation } from './observation.js'

/** A connection that is closed sooner was one too many, or was refused. */
const ESTABLISHED_MS = 1_300
/** How long a fault may still be the cause of what happens after it. */
const FAULT_MS = 6_000

/** A worker that is gone is noticed, and one that is there is not given up. */
export class PeersAreNoticed extends Invariant {
  readonly name = 'peers-are-noticed'
  /** The faults that concern a machine now, and until when past ones excuse it, by its name. */
  readonly #excuses = new Map<string, { faults: number; untilMs: number }>()

  override observe(observation: Observation, nowMs: number): void {
    if (observation.kind === 'fault') this.#count(observation.names, 1, nowMs)
    if (observation.kind === 'mended') this.#count(observation.names, -1, nowMs)
    if (observation.kind === 'closed') this.#onClosed(observation.link, observation.by.name, nowMs)
  }

  override atRest({ links }: MeshAtRest): void {
    for (const link of links) {
      const gone = [link.initiator, link.responder].find(({ isDead }) => isDead)
      if (gone === undefined) continue
      this.violated(`${nameOf(link)} is kept open though ${gone.name} is gone`)
    }
  }

  #count(names: readonly string[], faults: number, nowMs: number): void {
    for (const name of names) {
      const before = this.#excuses.get(name)?.faults ?? 0
      this.#excuses.set(name, { faults: before + faults, untilMs: nowMs + FAULT_MS })
    }
  }

  #onClosed(link: MemoryLink, by: string, nowMs: number): void {
    if (nowMs - link.openedAtMs < ESTABLISHED_MS) return
    const isExcused = [link.initiator, link.responder].some(({ name }) => {
      const excuse = this.#excuses.get(name)
      return excuse !== undefined && (excuse.faults > 0 || excuse.untilMs > nowMs)
    })
    if (!isExcused) this.violated(`${by} has closed ${nameOf(link)}, which nothing had happened to`)
  }
}
