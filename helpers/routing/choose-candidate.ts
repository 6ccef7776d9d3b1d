import { type CandidateLoad, expectedWaitMs, hasFreeSlot, relativeLoad } from './expected-wait.js'
import { pickOfTwo } from './pick-of-two.js'

/**
 * Who is to be asked. Loaded and loadable candidates compete by {@link expectedWaitMs}.
 *
 * While one of two loaded candidates that are drawn at random has a free slot, nothing can be gained
 * by looking at more: the wait is 0 already, and no model has to be loaded. Drawing keeps those who
 * choose at the same time by the same reports from all choosing the same one. When neither has a free
 * slot a wait is at stake, and one idle candidate among very many busy ones would hardly ever be
 * drawn; so all are looked at then. Of those with the shortest wait the least loaded is taken, and of
 * equals any.
 *
 * Candidates that failed a moment ago are asked when there are no others: what fails at once would
 * otherwise look idle and be preferred.
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
  return shortestWait(eligible, loadOf, below)
}

function shortestWait<Candidate>(
  candidates: readonly Candidate[],
  loadOf: (candidate: Candidate) => CandidateLoad,
  below: (limit: number) => number,
): Candidate | undefined {
  let best: { candidate: Candidate; waitMs: number; load: number } | undefined
  let equals = 0
  for (const candidate of candidates) {
    const waitMs = expectedWaitMs(loadOf(candidate))
    const load = relativeLoad(loadOf(candidate))
    const isEqual = best !== undefined && waitMs === best.waitMs && load === best.load
    const isBetter =
      best === undefined || waitMs < best.waitMs || (waitMs === best.waitMs && load < best.load)
    equals = isEqual ? equals + 1 : isBetter ? 1 : equals
    // Each of the equals is left with the same chance when all have been seen.
    if (isBetter || (isEqual && below(equals) === 0)) best = { candidate, waitMs, load }
  }
  return best?.candidate
}
