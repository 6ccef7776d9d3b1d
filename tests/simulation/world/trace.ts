import { createHash } from 'node:crypto'
import type { VirtualTime } from '../../helpers/clock/virtual-time.js'

/** The lines that are kept for the report of a failure. */
const TAIL_LINES = 60

/** What happened in a run, in order. Two runs of one seed have the same hash. */
export class Trace {
  readonly #time: VirtualTime
  readonly #hash = createHash('sha256')
  readonly #tail: string[] = []
  readonly #print: ((line: string) => void) | undefined

  /** @param print gets every line */
  constructor(time: VirtualTime, print?: (line: string) => void) {
    this.#time = time
    this.#print = print
  }

  record(text: string): void {
    const line = this.recordDetail(text)
    this.#tail.push(line)
    if (this.#tail.length > 2 * TAIL_LINES) this.#tail.splice(0, TAIL_LINES)
  }

  /** Records what there is too much of for the report of a failure. @returns its line */
  recordDetail(text: string): string {
    const line = `${this.#time.nowMs.toFixed(3).padStart(10)} ${text}`
    this.#hash.update(line)
    this.#print?.(line)
    return line
  }

  /** The last lines, without the details. */
  get tail(): readonly string[] {
    return this.#tail.slice(-TAIL_LINES)
  }

  /** The hash of all lines, hexadecimal. Ends the trace. */
  digest(): string {
    return this.#hash.digest('hex')
  }
}
