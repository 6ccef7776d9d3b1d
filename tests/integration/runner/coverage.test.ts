import test from 'brittle'
import { assertFailed, PASSING, runProject } from '../../runner/runner-project.js'

/** A file as the compiler leaves it, line for line: the source, what was emitted, and the map. */
function compiled(path: string, lines: readonly string[]): Record<string, string> {
  const name = path.split('/').at(-1)
  const text = lines.join('\n')
  const map = {
    version: 3,
    file: `${name}.js`,
    sources: [`${name}.ts`],
    names: [],
    mappings: ['AAAA', ...lines.slice(1).map(() => 'AACA')].join(';'),
  }
  return {
    [`${path}.ts`]: text,
    [`${path}.js`]: `${text}\n//# sourceMappingURL=${name}.js.map`,
    [`${path}.js.map`]: JSON.stringify(map),
  }
}

const LAYERS = {
  'simulation/s.test.js': PASSING,
  'integration/i.test.js': PASSING,
  'e2e/e.test.js': PASSING,
  'endurance/n.test.js': PASSING,
}
/** Calling half leaves four of its eight lines, `double`. */
const HALF = compiled('helpers/half', [
  'export function half(n) {',
  '  return n / 2',
  '}',
  '',
  'export function double(n) {',
  '  // A comment.',
  '  return n * 2',
  '}',
])
const WHOLE = compiled('helpers/whole', [
  ...Array.from({ length: 92 }, (_, line) => `export const n${line} = ${line}`),
])

function testOf(...lines: string[]): Record<string, string> {
  return { ...LAYERS, 'unit/a.test.js': lines.join('\n') }
}

const USES_HALF = [
  "import { half } from '../../helpers/half.js'",
  "test('should halve', (t) => t.is(half(2), 1))",
]
const USES_BOTH = [
  "import { half } from '../../helpers/half.js'",
  "import { n1 } from '../../helpers/whole.js'",
  "test('should halve', (t) => t.is(half(2), n1))",
]

test('should count the lines that a test ran when every layer is run', async (t) => {
  const outcome = await runProject(t, testOf(...USES_BOTH), [], { ...HALF, ...WHOLE })
  t.is(outcome.lastLine, '5 passed, 0 failed', outcome.output)
  t.is(outcome.code, 0)
  t.ok(/^lines covered of all: 9\d\.\d % of 95 %$/m.test(outcome.output), outcome.output)
})

test('should count one failure when coverage is too low', async (t) => {
  const outcome = await runProject(t, testOf(...USES_HALF), [], HALF)
  assertFailed(t, outcome, '5 passed, 1 failed', /too little is covered: all: 50\.0 % of 95 %/)
})

test('should count a file as not covered when no test loads it, unless it contains only types', async (t) => {
  const types = compiled('helpers/types', ['export {};'])
  const outcome = await runProject(t, testOf(PASSING), [], { ...WHOLE, ...types })
  assertFailed(t, outcome, '5 passed, 1 failed', / all: 0\.0 % of 95 %/)
})

test('should count the lines that a child process of a test ran', async (t) => {
  const child = "import { double, half } from './helpers/half.js'; double(half(2))"
  const tests = testOf(
    "import { execFileSync } from 'node:child_process'",
    "test('should start', (t) => {",
    `  execFileSync(process.execPath, ['--input-type=module', '--eval', ${JSON.stringify(child)}])`,
    '  t.pass()',
    '})',
  )
  const outcome = await runProject(t, tests, [], HALF)
  t.is(outcome.lastLine, '5 passed, 0 failed', outcome.output)
  t.ok(/ all: 100\.0 % of 95 %/.test(outcome.output), outcome.output)
})

test('should name the error codes that only a test raises, or nothing', async (t) => {
  const sources = {
    ...compiled('helpers/errors/error-codes', [
      'export const ERROR_CODES = { RAISED: {}, SHOWN: {}, NEVER: {} }',
      'export class StarlingError extends Error {}',
    ]),
    ...compiled('helpers/raise', [
      "import { StarlingError } from './errors/error-codes.js'",
      'export function raise(code) {',
      "  return code === 1 ? new StarlingError('RAISED') : new StarlingError('NEVER')",
      '}',
    ]),
  }
  const tests = testOf(
    "import { StarlingError } from '../../helpers/errors/error-codes.js'",
    "import { raise } from '../../helpers/raise.js'",
    "test('should raise', (t) => t.ok([raise(1), new StarlingError('SHOWN')]))",
  )
  const outcome = await runProject(t, tests, [], sources)
  assertFailed(t, outcome, '5 passed, 1 failed', /has the product raise SHOWN, NEVER/)
  t.ok(/^error codes raised: 1 of 3$/m.test(outcome.output))
})

test('should not require coverage when only a part is run', async (t) => {
  for (const args of [['unit'], ['tests/unit/a.test.js']]) {
    const outcome = await runProject(t, testOf(PASSING), args, HALF)
    t.is(outcome.lastLine, '1 passed, 0 failed')
    t.absent(outcome.output.includes('covered'))
  }
})
