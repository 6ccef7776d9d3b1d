import type { DestinationStream } from 'pino'

const LEVELS: Record<number, string> = {
  10: 'trace',
  20: 'debug',
  30: 'info',
  40: 'warn',
  50: 'error',
  60: 'fatal',
}

/** Fields that every pino line has and that are written in a place of their own, or not at all. */
const SHOWN_ELSEWHERE = new Set(['level', 'time', 'pid', 'hostname', 'name', 'msg', 'err'])

/** Turns pino's JSON lines into `12:00:01.250 gateway info  listening {"port":1}`. */
export class ReadableLines implements DestinationStream {
  readonly #output: DestinationStream

  constructor(output: DestinationStream) {
    this.#output = output
  }

  write(line: string): void {
    this.#output.write(`${readable(JSON.parse(line))}\n`)
  }
}

function readable(entry: Record<string, unknown>): string {
  const time = new Date(Number(entry.time)).toISOString().slice(11, 23)
  const level = (LEVELS[Number(entry.level)] ?? '').padEnd(5)
  const fields = Object.entries(entry).filter(([key]) => !SHOWN_ELSEWHERE.has(key))
  const rest = fields.length === 0 ? '' : ` ${JSON.stringify(Object.fromEntries(fields))}`
  return `${time} ${entry.name} ${level} ${entry.msg ?? ''}${rest}${failure(entry.err)}`
}

function failure(error: unknown): string {
  if (typeof error !== 'object' || error === null) return ''
  const { code, message, stack } = error as { code?: string; message?: string; stack?: string }
  // An expected failure explains itself; only an unexpected one needs its place in the code.
  if (code === undefined) return `\n${stack}`
  return message === undefined ? ` (${code})` : ` (${code}: ${message})`
}
