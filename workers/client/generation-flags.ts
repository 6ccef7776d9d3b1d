import type { Command } from 'commander'
import { StarlingError } from '../../helpers/errors/starling-error.js'
import {
  type GenerationOptionsInput,
  generationOptionsSchema,
} from '../../helpers/protocol/generation.js'

/** The flags that say how an answer is made, as they are parsed. */
export interface GenerationFlags {
  readonly system?: string
  readonly maxTokens?: string
  readonly temperature?: string
  readonly seed?: string
}

/** Adds the flags that say how an answer is made. */
export function withGenerationFlags(command: Command): Command {
  return command
    .option('--system <text>', 'how the model is to answer, as a system message')
    .option('--max-tokens <n>', 'the most tokens that an answer may have (default: 512)')
    .option(
      '--temperature <x>',
      'from 0, always the likeliest words, to 2 (default: as the model says)',
    )
    .option('--seed <n>', 'the same seed gives the same answer again (default: drawn at random)')
}

/**
 * The generation options that flags set; the protocol says which values there are.
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
  throw new StarlingError(
    'BAD_USAGE',
    `${flag} ${set.find(([name]) => name === key)?.[1]}: ${issue?.message}`,
  )
}

/** A number as people write one; anything else stays a text, which no option takes. */
function numberIn(text: string): number | string {
  return /^-?\d+(\.\d+)?$/.test(text) ? Number(text) : text
}
