import { type CandidateLoad, expectedWaitMs, hasFreeSlot, relativeLoad } from './expected-wait.js'

/**
 * Chooses the processor for a request. Loaded and loadable candidates compete by {@link expectedWaitMs}.
 *
 * Two loaded candidates are drawn at random, and the less loaded of them is taken if it has a free
 * slot: the wait is 0 then, and more candidates cannot make it shorter. Drawing also keeps gateways that
 * have the same reports from all choosing the same processor. If it has no free slot, all candidates are
 * compared: the request would have to wait, and one idle candidate among very many busy ones would hardly
 * ever be drawn.
 *
 * Candidates that failed recently are chosen only if there are no others. A processor at which every
 * request fails at once would otherwise look idle and be preferred.
 *
 * @param below gives a random whole number from 0 up to, not including, its argument
 * @returns undefined when there is no candidate
 */
export function chooseCandidate<Candidate>(
  candidates: readonly Candidate[],
  loadOf: (candidate: Candidate) => CandidateLoad,
  below: (limit: number) => number,
): Candidate | undefined {
  const isSound = (candidate: Candidate) => loadOf(candidate).reported.hindrance !== 'failure'
  const sound = candidates.filter(isSound)
  const eligible = sound.length > 0 ? sound : candidates
  const loaded = eligible.filter((candidate) => loadOf(candidate).reported.isLoaded)
  const drawn = pickOfTwo(loaded, (candidate) => relativeLoad(loadOf(candidate)), below)
  if (drawn !== undefined && hasFreeSlot(loadOf(drawn))) return drawn
  return first(eligible, (one, other) => compare(loadOf(one), loadOf(other)), below)
}

/**
 * Orders candidates by their expected wait. If it is the same, candidates that have the model loaded
 * come first, in the order of their load. Of those that have not, the one with the most requests comes
 * first: it loads the model anyway, and can answer as many requests as it has slots.
 *
 * @returns negative if `one` comes first, 0 if neither does
 */
function compare(one: CandidateLoad, other: CandidateLoad): number {
  const [waitMs, otherWaitMs] = [expectedWaitMs(one), expectedWaitMs(other)]
  if (waitMs !== otherWaitMs) return waitMs < otherWaitMs ? -1 : 1
  const { isLoaded } = one.reported
  if (isLoaded !== other.reported.isLoaded) return isLoaded ? -1 : 1
  const difference = relativeLoad(one) - relativeLoad(other)
  return isLoaded ? difference : -difference
}

/** The first item by an order. If several are equal, each is chosen with the same probability. */
function first<Item>(
  items: readonly Item[],
  order: (one: Item, other: Item) => number,
  below: (limit: number) => number,
): Item | undefined {
  let [best] = items
  let equals = 0
  for (const item of items) {
    const difference = best === undefined ? 0 : order(item, best)
    if (difference > 0) continue
    equals = difference < 0 ? 1 : equals + 1
    // Reservoir sampling: the n-th of the equal items replaces the one before with probability 1/n.
    if (below(equals) === 0) best = item
  }
  return best
}

/**
 * The less loaded of two candidates drawn at random. The load is nearly as even as if the least loaded one
 * were always chosen, but gateways do not all choose the same one while its load is still reported as low.
 * Mitzenmacher, "The Power of Two Choices in Randomized Load Balancing", 1996.
 *
 * @param below gives a random whole number from 0 up to, not including, its argument
 * @returns undefined when there is no candidate
 */
export function pickOfTwo<Candidate>(
  candidates: readonly Candidate[],
  loadOf: (candidate: Candidate) => number,
  below: (limit: number) => number,
): Candidate | undefined {
  if (candidates.length < 2) return candidates[0]
  const first = below(candidates.length)
  // Drawn from the others, so that the two are never the same.
  const second = (first + 1 + below(candidates.length - 1)) % candidates.length
  const one = candidates[first] as Candidate
  const other = candidates[second] as Candidate
  return loadOf(other) < loadOf(one) ? other : one
}
