import { StarlingError } from '../../helpers/errors/starling-error.js'
import type { Entry } from '../../helpers/store/record.js'
import type { RecordCommand } from '../../helpers/store/record-command.js'
import type { Clock } from '../clock/clock.js'
import type { Records } from './records.js'

/** How often a command is tried. Each time, another command has changed a record that it depends on. */
export const MAX_COMMAND_ATTEMPTS = 16

/**
 * Runs commands on records: reads what a command depends on, lets it decide, and makes its changes, unless a record
 * was changed since. In that case it decides again.
 */
export class CommandRunner {
  readonly #records: Records
  readonly #clock: Pick<Clock, 'now'>

  /** @param parts.records closed by their creator */
  constructor(parts: { readonly records: Records; readonly clock: Pick<Clock, 'now'> }) {
    this.#records = parts.records
    this.#clock = parts.clock
  }

  /**
   * Resolves when the changes are on disk.
   *
   * @returns the answer of the command
   * @throws StarlingError OVERLOADED after {@link MAX_COMMAND_ATTEMPTS} conflicts; what the command and the records
   *   throw: see {@link Records.batch}
   */
  async run<Input, Answer>(command: RecordCommand<Input, Answer>, input: Input): Promise<Answer> {
    for (let attempt = 1; attempt <= MAX_COMMAND_ATTEMPTS; attempt += 1) {
      const entries = await this.#read(command.keysOf(input))
      const { changes, answer } = command.decide(valuesOf(entries), input, this.#clock.now())
      if (changes.length === 0) return answer
      const conditions = [...entries].map(([key, entry]) => {
        return { key, revision: entry?.revision ?? null }
      })
      const { committed } = await this.#records.batch({ conditions, changes })
      if (committed) return answer
    }
    const why = 'A record was changed by others again and again while it was to be changed'
    throw new StarlingError('OVERLOADED', why)
  }

  async #read(keys: readonly string[]): Promise<ReadonlyMap<string, Entry | undefined>> {
    const entries = await Promise.all(keys.map((key) => this.#records.get(key)))
    return new Map(keys.map((key, index) => [key, entries[index]]))
  }
}

function valuesOf(entries: ReadonlyMap<string, Entry | undefined>): ReadonlyMap<string, unknown> {
  const values = new Map<string, unknown>()
  for (const [key, entry] of entries) if (entry !== undefined) values.set(key, entry.value)
  return values
}
