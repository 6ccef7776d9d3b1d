import { z } from 'zod'
import type { PartialConfig } from './schema.js'

const PREFIX = 'STARLING_'

const listSchema = z.array(z.string())

/** How the text of a variable is read. */
export type VariableReading = 'text' | 'list'

/**
 * The configuration in environment variables: `STARLING_GATEWAY__LOAD_INTERVAL_MS=500` sets
 * `gateway.loadIntervalMs`. Two underscores separate sections, one separates words. Numbers, `true` and
 * `false` are converted. Keys are not validated.
 *
 * @param readings variables that are read as text, or as a list of texts: separated by commas, or in JSON
 */
export function readEnvironment(
  environment: Readonly<Record<string, string | undefined>>,
  readings: ReadonlyMap<string, VariableReading> = new Map(),
): PartialConfig {
  const values: PartialConfig = {}
  for (const [name, value] of Object.entries(environment)) {
    if (!name.startsWith(PREFIX) || value === undefined || value === '') continue
    const path = name.slice(PREFIX.length).split('__').map(camelCase)
    let section = values
    for (const key of path.slice(0, -1)) {
      const inner = section[key]
      const next: PartialConfig =
        typeof inner === 'object' && inner !== null ? (inner as PartialConfig) : {}
      section[key] = next
      section = next
    }
    section[path.at(-1) ?? ''] = read(value, readings.get(name))
  }
  return values
}

/**
 * A part of the configuration as environment variables: the inverse of {@link readEnvironment}. Lists are
 * written as JSON.
 *
 * @param above the sections that contain it
 */
export function toVariables(
  values: PartialConfig,
  above: readonly string[] = [],
): Record<string, string> {
  const variables: Record<string, string> = {}
  for (const [key, value] of Object.entries(values)) {
    const path = [...above, key]
    if (value === undefined) continue
    if (Array.isArray(value)) variables[variableOf(path)] = JSON.stringify(value)
    else if (typeof value === 'object' && value !== null) {
      Object.assign(variables, toVariables(value as PartialConfig, path))
    } else variables[variableOf(path)] = String(value)
  }
  return variables
}

/** The variable that sets a key: `gateway.loadIntervalMs` by STARLING_GATEWAY__LOAD_INTERVAL_MS. */
export function variableOf(path: readonly string[]): string {
  const words = path.map((key) => key.replace(/[A-Z]/g, (letter) => `_${letter}`).toUpperCase())
  return `${PREFIX}${words.join('__')}`
}

function camelCase(upperSnakeCase: string): string {
  return upperSnakeCase.toLowerCase().replace(/_([a-z0-9])/g, (_, letter) => letter.toUpperCase())
}

function read(value: string, reading: VariableReading | undefined): unknown {
  if (reading === 'text') return value
  if (reading === 'list') return readList(value)
  if (value === 'true') return true
  if (value === 'false') return false
  return /^-?\d+(\.\d+)?$/.test(value) ? Number(value) : value
}

/** Texts separated by commas, or a JSON list of texts, which may contain commas. */
function readList(value: string): string[] {
  if (value.startsWith('[')) {
    try {
      return listSchema.parse(JSON.parse(value))
    } catch {
      // Not JSON: the name of a model may begin with a bracket.
    }
  }
  return value.split(',').map((item) => item.trim())
}
