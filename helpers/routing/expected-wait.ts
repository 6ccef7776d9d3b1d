import type { OfferedModel } from '../protocol/processor-protocol.js'

/** What a processor reports of a model, as far as a question for it has to wait for that. */
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
  /** Questions that it was sent since that report and that have not been answered. */
  readonly sentSince: number
}

/** How long an answer takes where none has been measured yet. */
const TYPICAL_ANSWER_MS = 5_000

/** Whether the model is in memory and a slot for another answer is free. */
export function hasFreeSlot({ reported, sentSince }: CandidateLoad): boolean {
  return reported.isLoaded && questionsAhead({ reported, sentSince }) < slotsOf(reported)
}

/** Questions that are under way or waiting, for each that can be answered at once. */
export function relativeLoad(candidate: CandidateLoad): number {
  return questionsAhead(candidate) / slotsOf(candidate.reported)
}

/**
 * How long a question that is sent now waits for its answer to begin, in milliseconds:
 *
 *     loadMs + displacedMs + max(0, ahead - slots + 1) * answerMs / slots
 *
 * `ahead` are the questions before it: in the making, waiting, and sent since the report. When all
 * slots are busy one of them gets free every answerMs / slots on average, and as many must as there
 * are questions that wait, with this one. The load counts in full, and with it what the models take to
 * load again that have to make room: so two models that are asked for in turn do not displace each
 * other again and again. A model changes places only when that saves more waiting than it costs.
 *
 * Infinite when the question would be refused: no place is left in the line, or no memory for the model
 * beside those that answer.
 */
export function expectedWaitMs(candidate: CandidateLoad): number {
  const { queueLength, answerMs = TYPICAL_ANSWER_MS, loadMs, displacedMs } = candidate.reported
  const slots = slotsOf(candidate.reported)
  const ahead = questionsAhead(candidate)
  if (candidate.reported.hindrance === 'memory' || ahead >= slots + queueLength) {
    return Number.POSITIVE_INFINITY
  }
  const haveToEnd = Math.max(0, ahead - slots + 1)
  return loadMs + displacedMs + (haveToEnd * answerMs) / slots
}

function questionsAhead({ reported, sentSince }: CandidateLoad): number {
  return reported.running + reported.queued + sentSince
}

function slotsOf({ slots }: ReportedLoad): number {
  return Math.max(1, slots)
}
