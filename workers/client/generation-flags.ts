import type { Command } from 'commander'
import { StarlingError } from '../../helpers/errors/starling-error.js'
import {
  type GenerationOptionsInput,
  generationOptionsSchema,
} from '../../helpers/protocol/generation-options.js'

/** The flags for generation options, as they are parsed. */
export interface GenerationFlags {
  readonly system?: string
  readonly maxTokens?: string
  readonly temperature?: string
  readonly seed?: string
}

/** Adds the flags for generation options. Wrong values are reported before the command runs. */
export function withGenerationFlags(command: Command): Command {
  return command
    .option('--system <text>', 'a system message: how the model should answer')
    .option('--max-tokens <n>', 'the maximum length of the answer in tokens (default: 512)')
    .option('--temperature <x>', '0 (always the likeliest token) to 2 (default: that of the model)')
    .option('--seed <n>', 'the same seed gives the same answer again (default: random)')
    .hook('preAction', (_, action) => void generationOptions(action.optsWithGlobals()))
}

/**
 * The generation options that were set by flags, validated by the schema of the protocol.
 *
 * @throws StarlingError BAD_USAGE, naming the flag
 */
export function generationOptions(flags: GenerationFlags): GenerationOptionsInput | undefined {
  const given = { maxTokens: flags.maxTokens, temperature: flags.temperature, seed: flags.seed }
  const set = Object.entries(given).filter(([, value]) => value !== undefined)
  if (set.length === 0) return undefined
  const options = Object.fromEntries(set.map(([key, value]) => [key, numberIn(String(value))]))
  const result = generationOptionsSchema.safeParse(options)
  if (result.success) return options
  const [issue] = result.error.issues
  const key = String(issue?.path[0])
  const flag = `--${key.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`
  const reason = typeof options[key] === 'string' ? 'it is not a number' : issue?.message
  throw new StarlingError(
    'BAD_USAGE',
    `${flag} ${set.find(([name]) => name === key)?.[1]}: ${reason}`,
  )
}

/** A decimal number. Other text is kept as it is, and the schema refuses it. */
function numberIn(text: string): number | string {
  return /^-?\d+(\.\d+)?$/.test(text) ? Number(text) : text
}
