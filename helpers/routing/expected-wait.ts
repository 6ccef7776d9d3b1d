import type { OfferedModel } from '../protocol/processor-protocol.js'

/** The part of a processor's report that the expected wait depends on. */
export type ReportedLoad = Pick<
  OfferedModel,
  | 'isLoaded'
  | 'slots'
  | 'running'
  | 'queued'
  | 'queueLength'
  | 'answerMs'
  | 'loadMs'
  | 'displacedMs'
  | 'hindrance'
>

/** A processor that a request could be sent to. */
export interface CandidateLoad {
  readonly reported: ReportedLoad
  /** Requests that were sent to it since that report and have not ended. */
  readonly sentSince: number
}

/** Assumed while no answer has been measured. */
const TYPICAL_ANSWER_MS = 5_000

/** Whether the model is in memory and a slot for another answer is free. */
export function hasFreeSlot({ reported, sentSince }: CandidateLoad): boolean {
  return reported.isLoaded && requestsAhead({ reported, sentSince }) < slotsOf(reported)
}

/** Requests before a new one, divided by the slots. */
export function relativeLoad(candidate: CandidateLoad): number {
  return requestsAhead(candidate) / slotsOf(candidate.reported)
}

/**
 * The expected time until the answer to a new request begins, in milliseconds:
 *
 *     loadMs + displacedMs + max(0, ahead - slots + 1) * answerMs / slots
 *
 * `ahead` is the number of requests before it: running, queued, and sent since the report. If all slots are busy, one becomes free every answerMs / slots on average, and
 * `ahead - slots + 1` of them must become free.
 *
 * The time to reload the models that are unloaded for this one (`displacedMs`) counts as if the
 * request had to wait for it, too. Without it, two models that are requested in turn would displace
 * each other with every request. With it, a model is only displaced if that saves more waiting than
 * both loads take.
 *
 * Infinite if the request would be refused, because the queue is full or other models use the memory.
 */
export function expectedWaitMs(candidate: CandidateLoad): number {
  const { queueLength, answerMs = TYPICAL_ANSWER_MS, loadMs, displacedMs } = candidate.reported
  const slots = slotsOf(candidate.reported)
  const ahead = requestsAhead(candidate)
  if (candidate.reported.hindrance === 'memory' || ahead >= slots + queueLength) {
    return Number.POSITIVE_INFINITY
  }
  const mustEnd = Math.max(0, ahead - slots + 1)
  return loadMs + displacedMs + (mustEnd * answerMs) / slots
}

/** Requests before a new one. */
export function requestsAhead({ reported, sentSince }: CandidateLoad): number {
  return reported.running + reported.queued + sentSince
}

function slotsOf({ slots }: ReportedLoad): number {
  return Math.max(1, slots)
}
