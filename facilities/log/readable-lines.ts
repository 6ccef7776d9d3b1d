import type { DestinationStream } from 'pino'
import { safeJson, safeJsonLine, safeLine, safeText } from '../../helpers/text/terminal-text.js'

const LEVELS: Record<number, string> = {
  10: 'trace',
  20: 'debug',
  30: 'info',
  40: 'warn',
  50: 'error',
  60: 'fatal',
}

/** Fields of every pino line that have their own place in the line, or are left out. */
const SHOWN_ELSEWHERE = new Set(['level', 'time', 'pid', 'hostname', 'name', 'msg', 'err'])

/**
 * Turns pino's JSON lines into `2026-01-01T12:00:01.250Z gateway info  listening {"port":1}`, in UTC
 * (ISO 8601). An event is one line. Further lines, such as a stack, are indented, so that text from a
 * peer cannot look like a log line.
 */
export class ReadableLines implements DestinationStream {
  readonly #output: DestinationStream

  constructor(output: DestinationStream) {
    this.#output = output
  }

  write(line: string): void {
    this.#output.write(`${readable(JSON.parse(line))}\n`)
  }
}

/** Writes pino's JSON lines with control characters escaped. */
export class SafeJsonLines implements DestinationStream {
  readonly #output: DestinationStream

  constructor(output: DestinationStream) {
    this.#output = output
  }

  write(line: string): void {
    this.#output.write(`${safeJsonLine(line.trimEnd())}\n`)
  }
}

function readable(entry: Record<string, unknown>): string {
  const time = new Date(Number(entry.time)).toISOString()
  const level = (LEVELS[Number(entry.level)] ?? '').padEnd(5)
  const fields = Object.entries(entry).filter(([key]) => !SHOWN_ELSEWHERE.has(key))
  const rest = fields.length === 0 ? '' : ` ${safeJson(Object.fromEntries(fields))}`
  const name = safeLine(String(entry.name))
  return `${time} ${name} ${level} ${safeLine(String(entry.msg ?? ''))}${rest}${failure(entry.err)}`
}

function failure(error: unknown): string {
  if (typeof error !== 'object' || error === null) return ''
  const { code, message, stack } = error as { code?: string; message?: string; stack?: string }
  // An error with a code is expected; only for an unexpected one the stack is needed.
  if (code === undefined) return `\n${indented(safeText(String(stack ?? message)))}`
  return safeLine(message === undefined ? ` (${code})` : ` (${code}: ${message})`)
}

function indented(text: string): string {
  return text.replace(/^/gm, '    ')
}
