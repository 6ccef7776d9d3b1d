import { readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'

/** The folders whose code the tests have to cover. */
export const COVERED_FOLDERS = ['workers', 'facilities', 'helpers', 'config'] as const

/** How often V8 saw a stretch of a script run. An inner range overrules the one around it. */
interface Range {
  readonly startOffset: number
  readonly endOffset: number
  readonly count: number
}

interface ScriptCoverage {
  readonly url: string
  readonly functions: readonly { readonly ranges: readonly Range[] }[]
}

/** What the processes of a test run left behind. */
export interface CoveredScripts {
  /** Scripts of the covered folders that some process loaded, as absolute paths. */
  readonly loaded: ReadonlySet<string>
  /** Error codes that the product's code raised in some process. */
  readonly raisedCodes: ReadonlySet<string>
}

/**
 * Reads what Node wrote into `directory` for NODE_V8_COVERAGE, one file a process, and leaves only
 * what is about the covered folders of `root`, so that a report over them is quick.
 *
 * A code counts as raised when a place of the product that reads `new StarlingError('THE_CODE'` was
 * run: neither a test that makes such an error itself nor a peer that sends the code counts.
 */
export function readCoveredScripts(root: string, directory: string): CoveredScripts {
  const prefixes = COVERED_FOLDERS.map((folder) => `${pathToFileURL(join(root, folder))}/`)
  const loaded = new Set<string>()
  const raisedCodes = new Set<string>()
  const raises = new Map<string, readonly Raise[]>()
  for (const name of readdirSync(directory)) {
    const file = join(directory, name)
    const scripts = scriptsOf(readFileSync(file, 'utf8')).filter(({ url }) =>
      prefixes.some((prefix) => url.startsWith(prefix)),
    )
    if (scripts.length === 0) {
      rmSync(file)
      continue
    }
    writeFileSync(file, JSON.stringify({ result: scripts }))
    for (const { url, functions } of scripts) {
      const path = fileURLToPath(url)
      loaded.add(path)
      const known = raises.get(path) ?? findRaises(readFileSync(path, 'utf8'))
      raises.set(path, known)
      for (const { code, offset } of known) {
        if (!raisedCodes.has(code) && countAt(functions, offset) > 0) raisedCodes.add(code)
      }
    }
  }
  return { loaded, raisedCodes }
}

function scriptsOf(text: string): readonly ScriptCoverage[] {
  try {
    return (JSON.parse(text) as { result?: readonly ScriptCoverage[] }).result ?? []
  } catch {
    // A process that was killed while it wrote: what it saw is lost, as with any that is killed.
    return []
  }
}

interface Raise {
  readonly code: string
  readonly offset: number
}

function findRaises(source: string): readonly Raise[] {
  return [...source.matchAll(/new StarlingError\(\s*'([A-Z_]+)'/g)].map((match) => ({
    code: match[1] ?? '',
    offset: match.index,
  }))
}

function countAt(functions: ScriptCoverage['functions'], offset: number): number {
  let innermost: Range | undefined
  for (const { ranges } of functions) {
    for (const range of ranges) {
      if (range.startOffset > offset || range.endOffset <= offset) continue
      if (innermost === undefined || lengthOf(range) <= lengthOf(innermost)) innermost = range
    }
  }
  return innermost?.count ?? 0
}

function lengthOf({ startOffset, endOffset }: Range): number {
  return endOffset - startOffset
}
