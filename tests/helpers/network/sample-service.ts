import { z } from 'zod'
import type { Clock } from '../../../facilities/clock/clock.js'
import { SystemRandom } from '../../../facilities/clock/random.js'
import {
  type CallOptions,
  createOrigin,
} from '../../../facilities/network/calls/request-context.js'
import { Service } from '../../../facilities/network/calls/service.js'
import { roles } from '../../../helpers/protocol/call-policy.js'
import { jsonChunks } from '../../../helpers/protocol/chunk-codec.js'
import { stream, unary } from '../../../helpers/protocol/method.js'

/** Answers with what it was sent. */
export const echo = unary({
  name: 'gateway.echo',
  request: z.strictObject({ text: z.string() }),
  response: z.strictObject({ text: z.string() }),
  timeoutMs: 2_000,
  idempotent: true,
  callers: roles('client'),
})

/** Counts from 0. */
export const count = stream({
  name: 'gateway.count',
  request: z.strictObject({ to: z.number(), padding: z.string().optional() }),
  chunk: jsonChunks(z.strictObject({ n: z.number() })),
  end: z.strictObject({ total: z.number() }),
  timeoutMs: 20_000,
  idempotent: true,
  callers: roles('client'),
})

/** What the handlers of a sample service did. */
export interface SampleLog {
  readonly texts: string[]
  /** The numbers that were requested from handlers of `count`. */
  produced: number
  /** Running handlers of `count`. */
  running: number
  started: number
  /** The signals of all handlers of `count`, in order. */
  readonly signals: AbortSignal[]
}

/** A gateway that answers {@link echo} and {@link count}. */
export function sampleService(log: SampleLog = sampleLog()): Service {
  return new Service()
    .unary(echo, async ({ text }) => {
      log.texts.push(text)
      return { text }
    })
    .stream(count, async function* ({ to }, { signal }) {
      log.signals.push(signal)
      log.started += 1
      log.running += 1
      try {
        for (let n = 0; n < to; n += 1) {
          log.produced += 1
          yield { n }
        }
        return { total: to }
      } finally {
        log.running -= 1
      }
    })
}

export function sampleLog(): SampleLog {
  return { texts: [], produced: 0, running: 0, started: 0, signals: [] }
}

/** The options of a call, with a new origin. */
export function requestOptions(clock: Clock, changes: Partial<CallOptions> = {}): CallOptions {
  return { origin: createOrigin(clock, new SystemRandom()), ...changes }
}
