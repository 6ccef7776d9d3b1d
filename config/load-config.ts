import { readFileSync } from 'node:fs'
import { resolve } from 'node:path'
import { StarlingError } from '../helpers/errors/starling-error.js'
import { readEnvironment, variableOf } from './environment.js'
import type { PartialConfig } from './partial-config.js'
import { type Config, configSchema } from './schema.js'

const ENVIRONMENT = 'the environment'

/**
 * The configuration: the defaults, overridden by the file, that by the environment, that by flags.
 *
 * @param sources.file path of a JSON file
 * @param sources.environment variables such as STARLING_GATEWAY__LOAD_INTERVAL_MS
 * @param sources.flags what the command line set
 * @throws StarlingError CONFIG_INVALID, naming the key and the source that set it
 */
export function loadConfig(sources: {
  file?: string | undefined
  environment: Readonly<Record<string, string | undefined>>
  flags: PartialConfig
}): Config {
  const layers: Array<[source: string, values: PartialConfig]> = [
    [`the file ${sources.file}`, sources.file === undefined ? {} : readConfigFile(sources.file)],
    [ENVIRONMENT, readEnvironment(sources.environment)],
    ['the command line', sources.flags],
  ]
  const merged = layers.reduce((all, [, values]) => merge(all, values), {} as PartialConfig)
  const result = configSchema.safeParse(merged)
  if (result.success) return { ...result.data, home: resolve(result.data.home) }

  const issue = result.error.issues[0]
  const unknownKey = issue?.code === 'unrecognized_keys' ? issue.keys[0] : undefined
  const path = [...(issue?.path ?? []), ...(unknownKey === undefined ? [] : [unknownKey])].map(
    String,
  )
  const source = layers.findLast(([, values]) => has(values, path))?.[0] ?? 'a default'
  const setBy = source === ENVIRONMENT ? `${source} (${variableOf(path)})` : source
  throw new StarlingError(
    'CONFIG_INVALID',
    `${path.join('.')}, set by ${setBy}: ` +
      (unknownKey === undefined ? issue?.message : 'there is no such key'),
  )
}

function readConfigFile(path: string): PartialConfig {
  let value: unknown
  try {
    value = JSON.parse(readFileSync(path, 'utf8'))
  } catch (cause) {
    const why = cause instanceof SyntaxError ? 'is no JSON' : 'cannot be read'
    throw new StarlingError('CONFIG_INVALID', `The file ${path} ${why}`, { cause })
  }
  if (!isSection(value)) {
    throw new StarlingError('CONFIG_INVALID', `The file ${path} holds no JSON object`)
  }
  return value
}

function merge(below: PartialConfig, above: PartialConfig): PartialConfig {
  const merged = new Map(Object.entries(below))
  for (const [key, value] of Object.entries(above)) {
    if (value === undefined) continue
    const old = merged.get(key)
    merged.set(key, isSection(old) && isSection(value) ? merge(old, value) : value)
  }
  // By assignment a key named __proto__ would be lost instead of refused.
  return Object.fromEntries(merged)
}

function has(values: PartialConfig, path: readonly string[]): boolean {
  let here: unknown = values
  for (const key of path) {
    if (!isSection(here) || !Object.hasOwn(here, key) || here[key] === undefined) return false
    here = here[key]
  }
  return true
}

function isSection(value: unknown): value is PartialConfig {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
