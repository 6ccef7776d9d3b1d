import { spawn } from 'node:child_process'
import { mkdir, symlink, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import type { Test } from 'brittle'

const PROJECT = join(import.meta.dirname, '..', '..')

/** A test file's text: one test that passes. */
export const PASSING = "test('should add', (t) => t.is(1 + 1, 2))"

/** The outcome of a run of the runner. */
export interface RunOutcome {
  readonly code: number | null
  readonly output: string
  readonly lastLine: string
}

/**
 * Runs the runner over a new project.
 *
 * @param tests texts of test files by their path below tests/; brittle is imported for each
 * @param sources texts of other files by their path
 */
export async function runProject(
  t: Test,
  tests: Readonly<Record<string, string>>,
  args: readonly string[],
  sources: Readonly<Record<string, string>> = {},
): Promise<RunOutcome> {
  const root = await t.tmp()
  await symlink(join(PROJECT, 'node_modules'), join(root, 'node_modules'))
  const files = Object.entries(tests).map(([path, text]) => [
    join('tests', path),
    `import test from 'brittle'\n${text}\n`,
  ])
  for (const [path = '', text = ''] of [...files, ...Object.entries(sources)]) {
    await mkdir(dirname(join(root, path)), { recursive: true })
    await writeFile(join(root, path), text)
  }
  await writeFile(join(root, 'package.json'), '{ "type": "module" }')
  return await startRunner(t, ['--root', root, ...args])
}

/** Runs the runner with these arguments. */
export async function startRunner(t: Test, args: readonly string[]): Promise<RunOutcome> {
  const child = spawn(process.execPath, [join(PROJECT, 'tests', 'run.js'), ...args], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  t.teardown(() => child.kill())
  let output = ''
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    output += text
  })
  const code = await new Promise<number | null>((resolve) => child.once('close', resolve))
  return { code, output, lastLine: output.trimEnd().split('\n').at(-1) ?? '' }
}

export function assertFailed(t: Test, outcome: RunOutcome, lastLine: string, reason: RegExp): void {
  t.is(outcome.lastLine, lastLine)
  t.is(outcome.code, 1)
  t.ok(reason.test(outcome.output), `${reason} in:\n${outcome.output}`)
}
