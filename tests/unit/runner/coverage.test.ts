import test from 'brittle'
import { holdAgainstGoals, type LineCounts } from '../../runner/coverage.js'

type Files = Readonly<Record<string, LineCounts>>

const REST: Files = { 'helpers/identity/id.ts': { total: 10_000, covered: 10_000 } }

function missed(files: Files): readonly string[] {
  return holdAgainstGoals(new Map(Object.entries(files))).missed
}

test('should be content when every goal is reached', (t) => {
  const files: Files = {
    'helpers/identity/id.ts': { total: 100, covered: 85 },
    'workers/auth/accounts.ts': { total: 200, covered: 195 },
    'facilities/network/trust/hello.ts': { total: 300, covered: 300 },
  }
  t.alike(holdAgainstGoals(new Map(Object.entries(files))), {
    lines: [
      'lines covered of all: 96.6 % of 95 %',
      'lines covered of workers/auth/: 97.5 % of 97.5 %',
      'lines covered of facilities/network/: 100.0 % of 97.5 %',
    ],
    missed: [],
  })
})

test('should name what is missed when a part is covered too little, though the whole is not', (t) => {
  t.alike(missed({ ...REST, 'workers/auth/a.ts': { total: 100, covered: 97 } }), [
    'workers/auth/: 97.0 % of 97.5 %',
  ])
  t.alike(missed({ ...REST, 'facilities/network/a.ts': { total: 1, covered: 0 } }), [
    'facilities/network/: 0.0 % of 97.5 %',
  ])
})

test('should hold the files of admission to their goal and the rest of the gateway not', (t) => {
  const half = { total: 10, covered: 5 }
  t.alike(missed({ ...REST, 'workers/gateway/router.ts': half }), [])
  for (const name of ['admission', 'rate-limiter', 'session-verifier']) {
    t.alike(missed({ ...REST, [`workers/gateway/${name}.ts`]: half }), [
      'admission (workers/gateway/): 50.0 % of 97.5 %',
    ])
  }
})

test('should not round up to a goal when it is nearly reached', (t) => {
  t.alike(missed({ 'helpers/identity/id.ts': { total: 10_000, covered: 9_499 } }), [
    'all: 94.9 % of 95 %',
  ])
})
