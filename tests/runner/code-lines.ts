import { readFileSync } from 'node:fs'

const DIGITS = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/'
const COMMENT = /^\s*(\/\/|\/\*|\*)/

/**
 * The lines of a TypeScript file that became code, counted from 1: neither blank lines and comments
 * nor types, which would count as covered without a test. Empty for a file of types alone.
 *
 * @param script path of the .js that was emitted beside it, with its source map
 */
export function codeLinesOf(script: string): ReadonlySet<number> {
  const emitted = readFileSync(script, 'utf8')
    .replace(/^\/\/.*$/gm, '')
    .replace(/\/\*[\s\S]*?\*\//g, '')
    .replace(/^export \{\};$/m, '')
  if (emitted.trim() === '') return new Set()
  const { mappings } = JSON.parse(readFileSync(`${script}.map`, 'utf8')) as { mappings: string }
  const source = readFileSync(script.replace(/\.(m?)js$/, '.$1ts'), 'utf8').split('\n')
  const lines = new Set<number>()
  for (const line of mappedLines(mappings)) {
    const text = source[line] ?? ''
    if (text.trim() !== '' && !COMMENT.test(text)) lines.add(line + 1)
  }
  return lines
}

/** The original lines, from 0, in the mappings of a source map (ECMA-426: base 64 VLQ, relative). */
function mappedLines(mappings: string): ReadonlySet<number> {
  const lines = new Set<number>()
  let line = 0
  for (const segment of mappings.split(/[;,]/)) {
    const lineChange = readNumbers(segment)[2]
    if (lineChange === undefined) continue
    line += lineChange
    lines.add(line)
  }
  return lines
}

function readNumbers(segment: string): number[] {
  const numbers: number[] = []
  let value = 0
  let shift = 0
  for (const digit of segment) {
    const bits = DIGITS.indexOf(digit)
    value |= (bits & 31) << shift
    shift += 5
    if (bits & 32) continue
    numbers.push(value & 1 ? -(value >>> 1) : value >>> 1)
    value = 0
    shift = 0
  }
  return numbers
}
