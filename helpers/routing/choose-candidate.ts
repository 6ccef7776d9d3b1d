import type { CandidateGroup, CandidateGroups, Place } from './candidate-groups.js'

/** The most candidates of which all are compared for one request. */
export const MAX_COMPARED = 16
/** The candidates that are compared if there are more. The best of eight is among the best eighth on average. */
export const DRAWN = 8
const GOLDEN_RATIO = 0.618

/**
 * Chooses the processor for a request. Loaded and loadable candidates compete by their expected wait: see
 * `expectedWaitMs`. If it is the same, by `reluctanceOf`.
 *
 * If there are candidates with a free slot, two of them are drawn at random, and the less loaded of the two is
 * taken: the wait is 0 then, and more candidates cannot make it shorter. Drawing also keeps gateways that have the
 * same reports from all choosing the same processor. If there are none, all others are compared. Of more than
 * {@link MAX_COMPARED}, {@link DRAWN} are drawn, from each group the same number: those that would wait for a slot,
 * those that are loading the model, and those that would load it. One idle candidate among very many busy ones would
 * hardly ever be drawn otherwise.
 *
 * The time that it takes does not depend on the number of candidates.
 *
 * @param below gives a random whole number from 0 up to, not including, its argument
 * @returns undefined when there is no candidate
 */
export function chooseCandidate<Candidate extends { readonly place: Place<Candidate> }>(
  candidates: CandidateGroups<Candidate>,
  below: (limit: number) => number,
): Candidate | undefined {
  const { free, busy, loading, unloaded, refusing } = candidates.eligible
  if (free.candidates.length > 0) return free.candidates[pickOfTwo(free.reluctances, below)]
  const best = new Best<Candidate>(below)
  best.compare([busy, loading, unloaded])
  // If all refuse, the one that is asked says why.
  if (best.candidate === undefined) best.compare([refusing])
  return best.candidate
}

/** The best of the candidates compared so far. If several are equal, each is it with the same probability. */
class Best<Candidate> {
  candidate: Candidate | undefined
  readonly #below: (limit: number) => number
  #waitMs = 0
  #reluctance = 0
  #equals = 0

  constructor(below: (limit: number) => number) {
    this.#below = below
  }

  /** Compares all candidates of these groups, or {@link DRAWN} of them. */
  compare(groups: readonly CandidateGroup<Candidate>[]): void {
    let total = 0
    let filled = 0
    for (const { candidates } of groups) {
      total += candidates.length
      if (candidates.length > 0) filled += 1
    }
    const share = total <= MAX_COMPARED ? total : Math.floor(DRAWN / filled)
    for (const group of groups) {
      const { length } = group.candidates
      const isWhole = length <= share
      // Every so many, from one that is drawn on. With the golden ratio, any number of them are far apart.
      const step = isWhole ? 1 : Math.floor(length * GOLDEN_RATIO)
      let index = isWhole ? 0 : this.#below(length)
      for (let count = Math.min(share, length); count > 0; count -= 1) {
        this.#take(group, index)
        index += step
        if (index >= length) index -= length
      }
    }
  }

  #take({ candidates, waitsMs, reluctances }: CandidateGroup<Candidate>, index: number): void {
    const waitMs = waitsMs[index] ?? 0
    if (this.#equals > 0 && waitMs > this.#waitMs) return
    const reluctance = reluctances[index] ?? 0
    if (this.#equals > 0) {
      if (waitMs === this.#waitMs && reluctance > this.#reluctance) return
      const isEqual = waitMs === this.#waitMs && reluctance === this.#reluctance
      this.#equals = isEqual ? this.#equals + 1 : 1
      // Reservoir sampling: the n-th of the equal items replaces the one before with probability 1/n.
      if (isEqual && this.#below(this.#equals) > 0) return
    } else {
      this.#equals = 1
    }
    this.candidate = candidates[index]
    this.#waitMs = waitMs
    this.#reluctance = reluctance
  }
}

/**
 * The less loaded of two candidates drawn at random. The load is nearly as even as if the least loaded one
 * were always chosen, but gateways do not all choose the same one while its load is still reported as low.
 * Mitzenmacher, "The Power of Two Choices in Randomized Load Balancing", 1996.
 *
 * @param loads of all candidates, at least one
 * @param below gives a random whole number from 0 up to, not including, its argument
 * @returns its index
 */
export function pickOfTwo(loads: readonly number[], below: (limit: number) => number): number {
  if (loads.length < 2) return 0
  const first = below(loads.length)
  // Drawn from the others, so that the two are never the same.
  const second = (first + 1 + below(loads.length - 1)) % loads.length
  const [one, other] = [loads[first] ?? 0, loads[second] ?? 0]
  return other < one ? second : first
}
