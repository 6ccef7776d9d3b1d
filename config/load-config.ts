import { readFileSync } from 'node:fs'
import { resolve } from 'node:path'
import type { z } from 'zod'
import { StarlingError } from '../helpers/errors/starling-error.js'
import { readEnvironment, type VariableReading, variableOf } from './environment.js'
import { type Config, configSchema, type PartialConfig } from './schema.js'

const ENVIRONMENT = 'the environment'

/** The configuration from one source. */
type Layer = readonly [source: string, values: PartialConfig]

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
  const file = sources.file === undefined ? {} : readConfigFile(sources.file)
  const layersFor = (readings?: ReadonlyMap<string, VariableReading>): Layer[] => [
    [`the file ${sources.file}`, file],
    [ENVIRONMENT, readEnvironment(sources.environment, readings)],
    ['the command line', sources.flags],
  ]
  let layers = layersFor()
  let result = parse(layers)
  if (!result.success) {
    // Variables are text. One that looks like a number may be a name.
    layers = layersFor(otherReadings(result.error))
    result = parse(layers)
  }
  if (result.success) return { ...result.data, home: resolve(result.data.home) }

  const issue = result.error.issues[0]
  const unknownKey = issue?.code === 'unrecognized_keys' ? issue.keys[0] : undefined
  const path = [...(issue?.path ?? []), ...(unknownKey === undefined ? [] : [unknownKey])]
  // The source of a list is the source of all its items.
  const inList = path.findIndex((key) => typeof key === 'number')
  const key = path.slice(0, inList < 0 ? path.length : inList).map(String)
  const source = layers.findLast(([, values]) => has(values, key))?.[0] ?? 'a default'
  const setBy = source === ENVIRONMENT ? `${source} (${variableOf(key)})` : source
  throw new StarlingError(
    'CONFIG_INVALID',
    `${path.join('.')}, set by ${setBy}: ` +
      (unknownKey === undefined ? issue?.message : 'unknown key'),
  )
}

function parse(layers: readonly Layer[]) {
  return configSchema.safeParse(
    layers.reduce((all, [, values]) => merge(all, values), {} as PartialConfig),
  )
}

/** How to read the variables of keys that require a text or a list of texts. */
function otherReadings(error: z.ZodError): ReadonlyMap<string, VariableReading> {
  const readings = new Map<string, VariableReading>()
  for (const issue of error.issues) {
    if (issue.code !== 'invalid_type') continue
    const variable = variableOf(issue.path.map(String))
    if (issue.expected === 'string') readings.set(variable, 'text')
    if (issue.expected === 'array') readings.set(variable, 'list')
  }
  return readings
}

function readConfigFile(path: string): PartialConfig {
  let value: unknown
  try {
    value = JSON.parse(readFileSync(path, 'utf8'))
  } catch (cause) {
    const why = cause instanceof SyntaxError ? 'is not valid JSON' : 'cannot be read'
    throw new StarlingError('CONFIG_INVALID', `The file ${path} ${why}`, { cause })
  }
  if (!isSection(value)) {
    throw new StarlingError('CONFIG_INVALID', `The file ${path} does not contain a JSON object`)
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
  // With an assignment, a key named __proto__ would be lost instead of refused.
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
