// npm test: a clean build, the linter, then every layer of tests. Arguments go to tests/run.js. The
// last line is always "N passed, N failed".
import { spawnSync } from 'node:child_process'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = dirname(dirname(fileURLToPath(import.meta.url)))
const bin = join(root, 'node_modules', '.bin')

const steps = [
  ['clean', process.execPath, [join(root, '.ci', 'clean.mjs')]],
  ['build', join(bin, 'tsc'), ['-p', '.']],
  ['lint', join(bin, 'biome'), ['check', '--error-on-warnings']],
  ['layers', process.execPath, [join(root, '.ci', 'check-layers.mjs')]],
]

for (const [name, command, args] of steps) {
  console.log(`${name} ...`)
  const { status, signal, error } = spawnSync(command, args, { cwd: root, stdio: 'inherit' })
  if (status === 0) continue
  console.log(`not ok - ${name} failed: ${error?.message ?? signal ?? `exit code ${status}`}`)
  console.log('0 passed, 1 failed')
  process.exit(1)
}

console.log()
const { status, signal, error } = spawnSync(
  process.execPath,
  [join(root, 'tests', 'run.js'), ...process.argv.slice(2)],
  { cwd: root, stdio: 'inherit' },
)
if (status === null) {
  console.log(`not ok - the test run ended early: ${error?.message ?? signal}`)
  console.log('0 passed, 1 failed')
}
process.exit(status ?? 1)
