import type { RequestOrigin } from '../../helpers/protocol/envelope.js'

/** The origin of every request of a benchmark: making one is not what is measured. */
export const ORIGIN: RequestOrigin = {
  requestId: 'req_01J00000000000000000000000',
  traceparent: '00-00000000000000000000000000000001-0000000000000001-01',
}
