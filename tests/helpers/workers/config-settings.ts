/** One setting: its path, and its value. */
export interface Setting {
  readonly path: readonly string[]
  readonly value: unknown
}

/** Every setting in a configuration, or in a part of one. */
export function settingsOf(values: object, above: readonly string[] = []): Setting[] {
  return Object.entries(values).flatMap(([key, value]): Setting[] => {
    const path = [...above, key]
    return typeof value === 'object' && value !== null ? settingsOf(value, path) : [{ path, value }]
  })
}

/** The environment variable of the setting with that path. */
export function variableOf(path: readonly string[]): string {
  const names = path.map((key) => key.replace(/[A-Z]/g, (letter) => `_${letter}`).toUpperCase())
  return `STARLING_${names.join('__')}`
}

/** Settings as nested sections; of two with the same path, the last one wins. */
export function sectionsOf(settings: readonly Setting[]): Record<string, unknown> {
  const values: Record<string, unknown> = {}
  for (const { path, value } of settings) {
    let section = values
    for (const key of path.slice(0, -1)) {
      if (!Object.hasOwn(section, key)) define(section, key, {})
      section = section[key] as Record<string, unknown>
    }
    define(section, path.at(-1) ?? '', value)
  }
  return values
}

/** Like JSON.parse: `__proto__` is an ordinary key. */
function define(section: Record<string, unknown>, key: string, value: unknown): void {
  Object.defineProperty(section, key, {
    value,
    enumerable: true,
    configurable: true,
    writable: true,
  })
}
