import test from 'brittle'
import type { Coverage, FileCoverage } from '../../runner/coverage.js'
import { holdAgainstGoals } from '../../runner/coverage-gate.js'

const NO_CODES: Coverage['codes'] = new Map()

function covered(file: string, lines: number, coveredLines: number): FileCoverage {
  return { file, lines, coveredLines }
}

test('should be content when every goal is reached', (t) => {
  const files = [
    covered('helpers/identity/id.ts', 100, 85),
    covered('workers/auth/accounts.ts', 100, 95),
    covered('facilities/network/trust/hello.ts', 100, 100),
  ]
  const { table, problem } = holdAgainstGoals({ files, codes: new Map([['INTERNAL', true]]) })
  t.is(problem, null)
  t.ok(/^all +300 +93\.3 % +90 %$/m.test(table), table)
  t.ok(/^helpers\/ +100 +85\.0 %/m.test(table), 'a folder without a goal of its own')
  t.ok(/^error codes raised +1 +1 +all$/m.test(table))
  t.ok(table.includes('helpers/identity/id.ts: 15 of 100 lines not covered'))
})

test('should name what is missed when a part is covered too little, though the whole is not', (t) => {
  const files = [
    covered('helpers/identity/id.ts', 1_000, 1_000),
    covered('workers/auth/a.ts', 100, 94),
  ]
  t.is(holdAgainstGoals({ files, codes: NO_CODES }).problem, 'workers/auth/ 94.0 % of 95 %')
  const network = [
    covered('helpers/identity/id.ts', 1_000, 1_000),
    covered('facilities/network/a.ts', 1, 0),
  ]
  t.is(
    holdAgainstGoals({ files: network, codes: NO_CODES }).problem,
    'facilities/network/ 0.0 % of 95 %',
  )
})

test('should hold the files of admission to their goal and the rest of the gateway not', (t) => {
  const rest = [
    covered('helpers/identity/id.ts', 1_000, 1_000),
    covered('workers/gateway/router.ts', 10, 5),
  ]
  t.is(holdAgainstGoals({ files: rest, codes: NO_CODES }).problem, null)
  for (const name of ['admission', 'rate-limiter', 'session-verifier']) {
    const files = [...rest, covered(`workers/gateway/${name}.ts`, 10, 5)]
    t.is(
      holdAgainstGoals({ files, codes: NO_CODES }).problem,
      'admission (workers/gateway/) 50.0 % of 95 %',
    )
  }
})

test('should not round up to a goal when it is nearly reached', (t) => {
  const files = [covered('helpers/identity/id.ts', 10_000, 8_999)]
  t.is(holdAgainstGoals({ files, codes: NO_CODES }).problem, 'all 89.9 % of 90 %')
})

test('should name every error code that nothing raised', (t) => {
  const codes = new Map([
    ['INTERNAL', true],
    ['PEER_LOST', false],
    ['DRAINING', false],
  ])
  const { problem } = holdAgainstGoals({ files: [covered('helpers/identity/id.ts', 1, 1)], codes })
  t.is(problem, 'no test has the product raise PEER_LOST, DRAINING')
})
