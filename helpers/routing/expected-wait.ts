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

/** A processor that could be asked. */
export interface CandidateLoad {
  readonly reported: ReportedLoad
  /** Questions that were sent to it since that report and have not ended. */
  readonly sentSince: number
}

/** Assumed while no answer has been measured. */
const TYPICAL_ANSWER_MS = 5_000

/** Whether the model is in memory and a slot for another answer is free. */
export function hasFreeSlot({ reported, sentSince }: CandidateLoad): boolean {
  return reported.isLoaded && questionsAhead({ reported, sentSince }) < slotsOf(reported)
}

/** Questions before a new one, divided by the slots. */
export function relativeLoad(candidate: CandidateLoad): number {
  return questionsAhead(candidate) / slotsOf(candidate.reported)
}

/**
 * The expected time until the answer to a new question begins, in milliseconds:
 *
 *     loadMs + displacedMs + max(0, ahead - slots + 1) * answerMs / slots
 *
 * `ahead` is the number of questions before it: those being answered, those waiting, and those sent
 * since the report. If all slots are busy, one becomes free every answerMs / slots on average, and
 * `ahead - slots + 1` of them must become free.
 *
 * The time to reload the models that are unloaded for this one (`displacedMs`) counts as if the
 * question had to wait for it, too. Without it, two models that are asked for in turn would displace
 * each other with every question. With it, a model is only displaced if that saves more waiting than
 * both loads take.
 *
 * Infinite if the question would be refused, because the queue is full or other models use the memory.
 */
export function expectedWaitMs(candidate: CandidateLoad): number {
  const { queueLength, answerMs = TYPICAL_ANSWER_MS, loadMs, displacedMs } = candidate.reported
  const slots = slotsOf(candidate.reported)
  const ahead = questionsAhead(candidate)
  if (candidate.reported.hindrance === 'memory' || ahead >= slots + queueLength) {
    return Number.POSITIVE_INFINITY
  }
  const mustEnd = Math.max(0, ahead - slots + 1)
  return loadMs + displacedMs + (mustEnd * answerMs) / slots
}

function questionsAhead({ reported, sentSince }: CandidateLoad): number {
  return reported.running + reported.queued + sentSince
}

function slotsOf({ slots }: ReportedLoad): number {
  return Math.max(1, slots)
}
