import { type DestinationStream, type Logger, pino } from 'pino'
import { ReadableLines } from './readable-lines.js'

/** Where a worker writes what happens. Never a prompt, an answer or a secret. */
export type Log = Logger

/** How much is written: each level includes those after it. */
export const LOG_LEVELS = ['trace', 'debug', 'info', 'warn', 'error', 'silent'] as const

/** One of {@link LOG_LEVELS}. */
export type LogLevel = (typeof LOG_LEVELS)[number]

/**
 * A log that writes one line an event.
 *
 * @param options.name the worker: `processor-2`
 * @param options.json true for pino's JSON lines, false for lines to be read by people
 * @param options.output standard error, unless a test listens
 */
export function createLog(options: {
  name: string
  level: LogLevel
  json: boolean
  output: DestinationStream
}): Log {
  const destination = options.json ? options.output : new ReadableLines(options.output)
  return pino({ name: options.name, level: options.level, base: { pid: process.pid } }, destination)
}
