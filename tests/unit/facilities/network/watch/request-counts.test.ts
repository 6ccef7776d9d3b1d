import test from 'brittle'
import { RequestCounts } from '../../../../../facilities/network/watch/request-counts.js'
import type {
  EndedRequest,
  Outcome,
} from '../../../../../facilities/network/watch/request-observer.js'

function ended(kind: EndedRequest['kind'], code: Outcome): EndedRequest {
  return {
    kind,
    code,
    method: 'gateway.infer',
    isPoll: false,
    durationMs: 1,
    requestId: 'req_1',
    peer: 'client@here',
    chunks: 0,
    firstChunkMs: undefined,
  }
}

test('should tell what is under way from what was answered', (t) => {
  const counts = new RequestCounts()
  counts.onRequestBegun('unary')
  counts.onRequestBegun('stream')
  counts.onRequestBegun('stream')
  counts.onRequestEnded(ended('stream', 'OK'))
  t.alike(counts.calls, { answered: 0, underWay: 1 })
  t.alike(counts.streams, { answered: 1, underWay: 1 })
  t.alike(counts.failures, {})
})

test('should count failures by their code, and no success among them', (t) => {
  const counts = new RequestCounts()
  for (const code of ['OK', 'OVERLOADED', 'CANCELLED', 'OVERLOADED'] as const) {
    counts.onRequestBegun('unary')
    counts.onRequestEnded(ended('unary', code))
  }
  t.alike(counts.calls, { answered: 4, underWay: 0 })
  t.alike(counts.failures, { OVERLOADED: 2, CANCELLED: 1 })
})
