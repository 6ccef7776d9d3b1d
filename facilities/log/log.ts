import { type DestinationStream, type Logger, pino } from 'pino'
import { redact, redactText } from '../../helpers/text/redaction.js'
import { ReadableLines, SafeJsonLines } from './readable-lines.js'

/** The log of a worker. It never contains a prompt, an answer or a secret. */
export type Log = Logger

/** The log levels: each includes those after it. */
export const LOG_LEVELS = ['trace', 'debug', 'info', 'warn', 'error', 'silent'] as const

/** One of {@link LOG_LEVELS}. */
export type LogLevel = (typeof LOG_LEVELS)[number]

/**
 * A log that writes one line for each event. Fields that are named like a secret, a prompt or an answer are
 * redacted, at any depth.
 *
 * @param options.name the worker: `processor-2`
 * @param options.json true for pino's JSON lines, false for readable lines
 * @param options.output standard error, except in tests
 */
export function createLog(options: {
  name: string
  level: LogLevel
  json: boolean
  output: DestinationStream
}): Log {
  const { output } = options
  const destination = options.json ? new SafeJsonLines(output) : new ReadableLines(output)
  const log: Log = pino(
    {
      name: options.name,
      level: options.level,
      base: { pid: process.pid },
      hooks: {
        logMethod([first, ...rest], log) {
          const subject = first instanceof Error ? { err: first } : first
          log.apply(this, [redacted(subject), ...rest.map(redacted)] as Parameters<typeof log>)
        },
      },
      // The hook has described the error already; pino's serializer would add its own fields.
      serializers: { err: (described: unknown) => described },
    },
    destination,
  )
  const createChild = log.child
  // Pino serializes bindings at once, without the hook above. Children of children inherit this.
  log.child = function child(this: Log, bindings, options) {
    return createChild.call(this, Object(redact(bindings)), options)
  } as Log['child']
  return log
}

function redacted(argument: unknown): unknown {
  return typeof argument === 'string' ? redactText(argument) : redact(argument)
}
