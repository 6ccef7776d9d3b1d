import {
  type CandidateLoad,
  expectedWaitMs,
  hasFreeSlot,
  relativeLoad,
  requestsAhead,
} from './expected-wait.js'

/**
 * Where a candidate is in its {@link CandidateGroups}, which alone change it. The candidate keeps it, so that it is
 * found without a search.
 */
export class Place<Candidate> {
  group: CandidateGroup<Candidate> | null = null
  index = 0
  isFailing = false
}

/**
 * Candidates with what they are compared by, as it was when they were put here. The numbers are kept beside each
 * other: to compare a few of very many candidates, only the chosen one is read from memory.
 */
export interface CandidateGroup<Candidate> {
  readonly candidates: Candidate[]
  /** See {@link expectedWaitMs}. */
  readonly waitsMs: number[]
  /** See {@link reluctanceOf}. */
  readonly reluctances: number[]
}

/** The candidates for the requests for one model, by what would happen to a new request. */
export interface Groups<Candidate> {
  /** The model is in memory, and a slot is free. */
  readonly free: CandidateGroup<Candidate>
  /** The model is in memory, and the request would wait for a slot. */
  readonly busy: CandidateGroup<Candidate>
  /** The model is being loaded for other requests. */
  readonly loading: CandidateGroup<Candidate>
  /** The model would be loaded. */
  readonly unloaded: CandidateGroup<Candidate>
  /** The request would be refused, because the queue is full or other models use the memory. */
  readonly refusing: CandidateGroup<Candidate>
}

/**
 * The candidates for the requests for one model. They are grouped when their load changes, and not when a request
 * arrives, so that choosing one of very many costs about as much as choosing one of few. Every operation takes the
 * same time for any number of candidates.
 */
export class CandidateGroups<Candidate extends { readonly place: Place<Candidate> }> {
  readonly #sound = newGroups<Candidate>()
  readonly #failing = newGroups<Candidate>()
  #size = 0
  #failingCount = 0

  /** The number of candidates. */
  get size(): number {
    return this.#size
  }

  /**
   * The candidates that a request can be sent to. Those that failed recently are among them only if there are no
   * others: a processor at which every request fails at once looks idle, and would be preferred.
   */
  get eligible(): Groups<Candidate> {
    return this.#size > this.#failingCount ? this.#sound : this.#failing
  }

  /** Adds a candidate, or moves it to where its load belongs now. */
  put(candidate: Candidate, load: CandidateLoad): void {
    const { place } = candidate
    const isFailing = load.reported.hindrance === 'failure'
    const waitMs = expectedWaitMs(load)
    const group = groupOf(isFailing ? this.#failing : this.#sound, load, waitMs)
    if (place.group !== group) {
      this.remove(candidate)
      place.group = group
      place.index = group.candidates.length
      place.isFailing = isFailing
      this.#size += 1
      if (isFailing) this.#failingCount += 1
    }
    group.candidates[place.index] = candidate
    group.waitsMs[place.index] = waitMs
    group.reluctances[place.index] = reluctanceOf(load)
  }

  remove({ place }: Candidate): void {
    const { group, index, isFailing } = place
    if (group === null) return
    place.group = null
    this.#size -= 1
    if (isFailing) this.#failingCount -= 1
    const last = group.candidates.pop()
    const waitMs = group.waitsMs.pop()
    const reluctance = group.reluctances.pop()
    if (last === undefined || waitMs === undefined || reluctance === undefined) return
    if (last.place === place) return
    // The last one takes its place, so that no other one has to move.
    group.candidates[index] = last
    group.waitsMs[index] = waitMs
    group.reluctances[index] = reluctance
    last.place.index = index
  }
}

/**
 * Orders candidates with the same expected wait; the lowest comes first. Candidates that have the model loaded come
 * first, in the order of their load. Of those that have not, the one with the most requests comes first: it loads
 * the model anyway, and can answer as many requests as it has slots.
 *
 * @returns from 0 to less than 1 if the model is loaded, otherwise more than 1
 */
export function reluctanceOf(load: CandidateLoad): number {
  const idleness = 1 / (1 + relativeLoad(load))
  return load.reported.isLoaded ? 1 - idleness : 1 + idleness
}

function groupOf<Candidate>(
  { free, busy, loading, unloaded, refusing }: Groups<Candidate>,
  load: CandidateLoad,
  waitMs: number,
): CandidateGroup<Candidate> {
  if (hasFreeSlot(load)) return free
  if (waitMs === Number.POSITIVE_INFINITY) return refusing
  if (load.reported.isLoaded) return busy
  return requestsAhead(load) > 0 ? loading : unloaded
}

function newGroups<Candidate>(): Groups<Candidate> {
  const group = () => ({ candidates: [], waitsMs: [], reluctances: [] })
  return { free: group(), busy: group(), loading: group(), unloaded: group(), refusing: group() }
}
