import { mkdir, symlink, utimes, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import test from 'brittle'
import { processGone } from '../../helpers/processes/process-gone.js'
import { assertFailed, PASSING, runProject, startRunner } from '../../runner/runner-project.js'

const FAILING = "test('should subtract', (t) => t.is(2 - 1, 2, 'the difference'))"

test('should succeed when every test of every layer passes', async (t) => {
  const outcome = await runProject(
    t,
    {
      'unit/one.test.js': PASSING,
      'unit/deep/two.test.js': `${PASSING}\n${PASSING}`,
      'simulation/three.test.js': PASSING,
      'integration/four.test.js': PASSING,
      'e2e/five.test.js': PASSING,
      'endurance/six.test.js': PASSING,
      'helpers/not-a-test.js': 'throw new Error()',
    },
    [],
  )
  t.is(outcome.lastLine, '7 passed, 0 failed')
  t.is(outcome.code, 0)
  t.ok(/^unit: 3 passed, 0 failed, 0 skipped, [\d.]+ s, on Node v[\d.]+$/m.test(outcome.output))
})

test('should fail and show the assert when a test fails', async (t) => {
  const outcome = await runProject(t, { 'unit/a.test.js': `${FAILING}\n${PASSING}` }, ['unit'])
  assertFailed(t, outcome, '1 passed, 1 failed', /not ok 1 - the difference/)
})

test('should continue with the next file when a test throws', async (t) => {
  const crashes = "test('should crash', () => { throw new Error('a broken wheel') })"
  const files = { 'unit/a.test.js': PASSING, 'unit/b.test.js': crashes, 'unit/c.test.js': PASSING }
  const outcome = await runProject(t, files, ['unit'])
  assertFailed(t, outcome, '2 passed, 1 failed', /exit code 1 in the test "should crash"/)
  t.ok(outcome.output.includes('a broken wheel'))
})

test('should fail when a file cannot be imported', async (t) => {
  const files = { 'unit/a.test.js': "import './missing.js'", 'unit/b.test.js': PASSING }
  const outcome = await runProject(t, files, ['unit'])
  assertFailed(t, outcome, '1 passed, 1 failed', /a\.test\.js: .*exit code 1[\s\S]*missing\.js/)
})

test('should fail when a file holds no tests', async (t) => {
  const files = { 'unit/a.test.js': 'test', 'unit/b.test.js': PASSING }
  const outcome = await runProject(t, files, ['unit'])
  assertFailed(t, outcome, '1 passed, 1 failed', /a\.test\.js: holds no tests/)
})

test('should fail when a test asserts nothing', async (t) => {
  const outcome = await runProject(t, { 'unit/a.test.js': "test('should be', () => {})" }, ['unit'])
  assertFailed(t, outcome, '0 passed, 1 failed', /asserts nothing/)
})

test('should fail when a layer holds no tests', async (t) => {
  const outcome = await runProject(t, { 'unit/a.test.js': PASSING }, ['unit', 'e2e'])
  assertFailed(t, outcome, '1 passed, 1 failed', /tests\/e2e: holds no test files/)
})

test('should fail when a process exits in the middle', async (t) => {
  for (const code of [0, 3]) {
    const exits = `${PASSING}\ntest('should exit', () => process.exit(${code}))`
    const outcome = await runProject(t, { 'integration/a.test.js': exits }, ['integration'])
    assertFailed(t, outcome, '1 passed, 1 failed', new RegExp(`ended with exit code ${code}`))
  }
})

test('should fail when a process ends with an error after its tests', async (t) => {
  const exits = `process.on('exit', () => { process.exitCode = 3 })\n${PASSING}`
  const outcome = await runProject(t, { 'integration/a.test.js': exits }, ['integration'])
  assertFailed(t, outcome, '1 passed, 1 failed', /exit code 3 after its tests/)
})

test('should fail when a process exits before brittle has counted', async (t) => {
  const exits = `process.on('beforeExit', () => process.exit(0))\n${PASSING}`
  const outcome = await runProject(t, { 'integration/a.test.js': exits }, ['integration'])
  assertFailed(t, outcome, '1 passed, 1 failed', /ended before brittle had counted/)
})

test('should kill the processes that a file leaves running when its tests pass', async (t) => {
  const leaves = [
    "import { spawn } from 'node:child_process'",
    "test('should leave', (t) => {",
    "  const child = spawn('sleep', ['1000'], { stdio: 'inherit' })",
    '  child.unref()',
    "  console.log('started', child.pid)",
    '  t.pass()',
    '})',
  ]
  const files = { 'e2e/a.test.js': leaves.join('\n') }
  const outcome = await runProject(t, files, ['e2e', '--verbose'])
  t.is(outcome.lastLine, '1 passed, 0 failed')
  const pid = Number(/started (\d+)/.exec(outcome.output)?.[1])
  t.ok(pid > 0)
  await processGone(pid)
})

test('should fail when a solo test keeps others from running', async (t) => {
  const solo = "test.solo('should be alone', (t) => t.pass())"
  const files = { 'unit/a.test.js': `${solo}\n${PASSING}`, 'unit/b.test.js': PASSING }
  const outcome = await runProject(t, files, ['unit'])
  assertFailed(t, outcome, '2 passed, 1 failed', /a test\.solo/)
})

test('should fail when a test waits for an event that never comes', async (t) => {
  const waits = "test('should wait', async (t) => { t.pass(); await new Promise(() => {}) })"
  const outcome = await runProject(t, { 'unit/a.test.js': waits }, ['unit'])
  assertFailed(t, outcome, '0 passed, 1 failed', /in the test "should wait"/)
})

test('should kill the file and what it started when it hangs', async (t) => {
  const hangs = [
    "import { spawn } from 'node:child_process'",
    "test('should hang', (t) => {",
    "  const child = spawn('sleep', ['1000'])",
    "  t.comment('started', child.pid)",
    '  return new Promise(() => setInterval(() => {}, 1000))',
    '})',
  ]
  const files = { 'e2e/a.test.js': hangs.join('\n'), 'e2e/b.test.js': PASSING }
  const outcome = await runProject(t, files, ['e2e', '--timeout-ms', '1000'])
  assertFailed(
    t,
    outcome,
    '1 passed, 1 failed',
    /timed out after 1000 ms in the test "should hang"/,
  )
  const pid = Number(/started (\d+)/.exec(outcome.output)?.[1])
  t.ok(pid > 0)
  await processGone(pid)
})

test('should run files of the mesh in addition to those that compute when a layer has both', async (t) => {
  const opens = [
    "import { writeFileSync } from 'node:fs'",
    "test('should open', (t) => { writeFileSync('open', ''); t.pass() })",
  ]
  const needsIt = [
    "import { existsSync } from 'node:fs'",
    "test('should find it open', async (t) => {",
    "  while (!existsSync('open')) await new Promise(setImmediate)",
    '  t.pass()',
    '})',
  ]
  const files = {
    'integration/engine/a.test.js': needsIt.join('\n'),
    'integration/engine/b.test.js': needsIt.join('\n'),
    'integration/mesh/c.test.js': opens.join('\n'),
    'integration/mesh/d.test.js': PASSING,
  }
  const outcome = await runProject(t, files, ['integration', '--timeout-ms', '5000'])
  t.is(outcome.lastLine, '4 passed, 0 failed')
  t.is(outcome.code, 0)
})

test('should run the other files when one of a process times out', async (t) => {
  const hangs = "test('should hang', () => new Promise(() => setInterval(() => {}, 1000)))"
  const files = { 'unit/a.test.js': PASSING, 'unit/b.test.js': hangs, 'unit/c.test.js': PASSING }
  const outcome = await runProject(t, files, ['unit', '--timeout-ms', '1000'])
  assertFailed(t, outcome, '2 passed, 1 failed', /b\.test\.js: timed out after 1000 ms/)
})

test('should run unit and integration tests once more when another Node is given', async (t) => {
  const says = "test('should say', (t) => { console.log(process.argv0); t.pass() })"
  const layers = ['unit', 'simulation', 'integration', 'e2e', 'endurance']
  const files = Object.fromEntries(layers.map((layer) => [`${layer}/a.test.js`, says]))
  const node = join(await t.tmp(), 'other-node')
  await symlink(process.execPath, node)
  const outcome = await runProject(t, files, ['--also-on', node, '--verbose'])
  t.is(outcome.lastLine, '7 passed, 0 failed')
  t.is(outcome.output.match(/other-node$/gm)?.length, 2)
})

test('should fail when the other Node does not exist or cannot run the tests', async (t) => {
  const missing = ['--also-on', '/missing/node', 'unit']
  const outcome = await runProject(t, { 'unit/a.test.js': PASSING }, missing)
  assertFailed(t, outcome, '0 passed, 1 failed', /\/missing\/node/)
  const idle = ['--also-on', '/bin/true', 'unit']
  const other = await runProject(t, { 'unit/a.test.js': PASSING }, idle)
  assertFailed(t, other, '1 passed, 1 failed', /ended with exit code 0, before all of its tests/)
})

test('should fail when a handle is left open', async (t) => {
  const leaks = `${PASSING}\nsetInterval(() => {}, 1000)`
  const outcome = await runProject(t, { 'unit/a.test.js': leaks }, [
    'unit',
    '--exit-grace-ms',
    '200',
  ])
  assertFailed(t, outcome, '1 passed, 1 failed', /a handle was left open/)
})

test('should count apart and name a test when it is skipped', async (t) => {
  const skips = `${PASSING}\ntest.skip('should fly', (t) => t.pass())`
  const outcome = await runProject(t, { 'unit/a.test.js': skips }, ['unit'])
  t.is(outcome.lastLine, '1 passed, 0 failed')
  t.is(outcome.code, 0)
  t.ok(/skipped: should fly/.test(outcome.output))
})

test('should fail when all tests are skipped', async (t) => {
  const skips = "test.skip('should fly', (t) => t.pass())"
  const outcome = await runProject(t, { 'unit/a.test.js': skips }, ['unit'])
  assertFailed(t, outcome, '0 passed, 1 failed', /no test ran/)
})

test('should not count results that a test prints itself', async (t) => {
  const forges = "test('should forge', (t) => { console.log('ok 1 - forged'); t.pass() })"
  const outcome = await runProject(t, { 'unit/a.test.js': forges }, ['unit'])
  t.is(outcome.code, 1)
  t.ok(/2 tests were planned and 3 reported/.test(outcome.output), outcome.output)
})

test('should fail when a source is not built or newer than what was built', async (t) => {
  const files = { 'unit/a.test.ts': PASSING, 'unit/b.test.js': PASSING }
  assertFailed(
    t,
    await runProject(t, files, ['unit']),
    '1 passed, 1 failed',
    /a\.test\.js: is not built/,
  )

  const root = await t.tmp()
  const file = join(root, 'tests', 'unit', 'a.test')
  await mkdir(dirname(file), { recursive: true })
  for (const ending of ['.js', '.ts']) await writeFile(file + ending, '')
  await utimes(`${file}.js`, 1, 1)
  const outcome = await startRunner(t, ['--root', root, 'unit'])
  assertFailed(t, outcome, '0 passed, 1 failed', /is older than its source/)
})

test('should fail when its arguments are invalid', async (t) => {
  for (const args of [['units'], ['--loud'], ['tests/other/a.test.js']]) {
    const outcome = await startRunner(t, args)
    t.is(outcome.lastLine, '0 passed, 1 failed', args.join(' '))
    t.is(outcome.code, 1)
  }
})

test('should run one file alone when it is named', async (t) => {
  const files = { 'unit/a.test.js': PASSING, 'unit/b.test.js': FAILING }
  const outcome = await runProject(t, files, ['tests/unit/a.test.js'])
  t.is(outcome.lastLine, '1 passed, 0 failed')
})
