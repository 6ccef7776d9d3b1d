import { execFile } from 'node:child_process'
import { cp, mkdir, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import test, { type Test } from 'brittle'

const PROJECT = fileURLToPath(new URL('../../..', import.meta.url))
const BIOME = join(PROJECT, 'node_modules', '.bin', 'biome')
const IMPORTS = 'lint/style/noRestrictedImports'
const GLOBALS = 'lint/style/noRestrictedGlobals'

interface Report {
  readonly summary: { readonly unchanged: number; readonly changed: number }
  readonly diagnostics: readonly {
    readonly category: string
    readonly message: string
    readonly location: { readonly path: string }
  }[]
}

/** Lints a project of these files under our rules: the categories found, by file. */
async function lint(t: Test, files: Record<string, string>): Promise<Map<string, Set<string>>> {
  const root = await t.tmp()
  for (const name of ['biome.json', '.biome', '.gitignore', 'package.json']) {
    await cp(join(PROJECT, name), join(root, name), { recursive: true })
  }
  for (const [file, text] of Object.entries(files)) {
    await mkdir(dirname(join(root, file)), { recursive: true })
    await writeFile(join(root, file), `${text}\n`)
  }
  const args = ['lint', '--reporter=json', '--max-diagnostics=none', ...Object.keys(files)]
  const output = await promisify(execFile)(BIOME, args, { cwd: root, maxBuffer: 1 << 26 }).catch(
    (error: { stdout: string }) => error,
  )
  const { summary, diagnostics }: Report = JSON.parse(output.stdout)
  t.is(summary.unchanged + summary.changed, Object.keys(files).length, 'every file was linted')
  const found = new Map<string, Set<string>>(Object.keys(files).map((file) => [file, new Set()]))
  for (const { category, message, location } of diagnostics) {
    if (message.includes('errored')) t.fail(`a rule of ours is broken: ${message}`)
    found.get(location.path)?.add(category)
  }
  return found
}

async function assertRefused(t: Test, category: string, files: Record<string, string>) {
  const found = await lint(t, files)
  for (const [file, categories] of found) {
    t.ok(categories.has(category), `${file}: ${files[file]} (${[...categories].join(', ')})`)
  }
}

async function assertAccepted(t: Test, files: Record<string, string>) {
  const found = await lint(t, files)
  for (const [file, categories] of found) t.alike([...categories], [], `${file}: ${files[file]}`)
}

function numbered(prefix: string, lines: readonly string[]): Record<string, string> {
  return Object.fromEntries(lines.map((line, index) => [`${prefix}-${index}.ts`, line]))
}

test('should refuse a global when a helper could reach input or output through it', async (t) => {
  await assertRefused(t, GLOBALS, {
    'helpers/environment.ts': 'export const home = process.env.HOME',
    'helpers/download.ts': "export const page = () => fetch('http://127.0.0.1')",
  })
})

test('should refuse real time and randomness outside of facilities/clock', async (t) => {
  const lines = [
    'export const x = Date.now()',
    'export const x = Date.now',
    'export const x = new Date()',
    'export const x = Math.random()',
    'export const x = { random: Math.random }',
    'export const x = AbortSignal.timeout(5)',
    'export const x = performance.now()',
    'export const x = process.hrtime.bigint()',
    'export const x = globalThis.setTimeout(() => 1, 5)',
    'export const x = globalThis.crypto.randomUUID()',
    "import crypto from 'node:crypto'\nexport const x = crypto.randomBytes(8)",
    "import * as crypto from 'node:crypto'\nexport const x = crypto.randomUUID()",
  ]
  await assertRefused(t, 'plugin', {
    ...numbered('helpers/bad', lines),
    ...numbered('facilities/store/bad', lines),
    ...numbered('workers/gateway/bad', lines),
    ...numbered('config/bad', lines),
    'workers/gateway.mts': lines.join('\n'),
  })
  const timers = [
    'export const x = setTimeout(() => 1, 5)',
    'export const x = setInterval(() => 1, 5)',
    'export const x = setImmediate(() => 1)',
    'export const later = setTimeout',
  ]
  await assertRefused(t, GLOBALS, {
    ...numbered('helpers/timer', timers),
    ...numbered('facilities/store/timer', timers),
    ...numbered('workers/gateway/timer', timers),
  })
  const modules = [
    "export { setTimeout } from 'node:timers/promises'",
    "import { setTimeout } from 'node:timers'\nexport const x = setTimeout(() => 1, 5)",
    "import { randomBytes } from 'node:crypto'\nexport const x = randomBytes(8)",
    "import { randomUUID as id } from 'node:crypto'\nexport const x = id()",
  ]
  await assertRefused(t, IMPORTS, {
    ...numbered('helpers/module', modules),
    ...numbered('facilities/store/module', modules),
    ...numbered('workers/gateway/module', modules),
    ...numbered('workers/auth', modules),
  })
})

test('should refuse a sleep when it is in a test', async (t) => {
  await assertRefused(t, 'plugin', {
    ...numbered('tests/unit/bad.test', [
      'await new Promise((resolve) => setTimeout(resolve, 5))',
      "import { setTimeout } from 'node:timers/promises'\nawait setTimeout(5)",
      "import { setTimeout as sleep } from 'node:timers/promises'\nawait sleep(5)",
    ]),
    'tests/e2e/bad.test.ts': 'setInterval(() => 1, 5)',
  })
  await assertAccepted(t, {
    'tests/helpers/eventually.ts': 'export const wait = () => setTimeout(() => 1, 5)',
  })
})

test('should refuse an unchecked type, a lost promise or a console when it is in a worker', async (t) => {
  const cases = {
    'lint/suspicious/noExplicitAny': 'export const x = (y: any) => y',
    plugin: 'export const x = (y: string) => y as unknown as number',
    'lint/nursery/noFloatingPromises':
      'const f = async () => 1\nexport const x = () => {\n  f()\n}',
    'lint/style/noDefaultExport': 'const x = 1\nexport default x',
    'lint/suspicious/noConsole': "export const x = () => console.log('x')",
    'lint/correctness/noUnusedImports': "import { y } from './y.js'\nexport const x = 1",
    'lint/style/useImportType': "import { Y } from './y.js'\nexport const x = (y: Y) => y",
  }
  for (const [category, text] of Object.entries(cases)) {
    await assertRefused(t, category, { 'workers/gateway/bad.ts': text })
  }
  await assertRefused(t, 'lint/style/useFilenamingConvention', {
    'workers/gateway/badName.ts': 'export const x = 1',
  })
})

test('should accept what the layers allow when each is used as meant', async (t) => {
  await assertAccepted(t, {
    'helpers/router/pick.ts': [
      "import { createHash } from 'node:crypto'",
      "import { z } from 'zod'",
      "import { hash } from '../protocol/hash.js'",
      'export const pick = (nowMs: number) => [createHash, z, hash, new Date(nowMs)]',
    ].join('\n'),
    'facilities/store/open.ts': [
      "import { readFile } from 'node:fs/promises'",
      "import Corestore from 'corestore'",
      "import { pick } from '../../helpers/router/pick.js'",
      "import type { Clock } from '../clock/clock.js'",
      'export const open = (clock: Clock) => [readFile, Corestore, pick, clock.now()]',
    ].join('\n'),
    'facilities/clock/system.ts': [
      "import { randomBytes } from 'node:crypto'",
      "import { setTimeout as sleep } from 'node:timers/promises'",
      'export const now = () => [Date.now(), Math.random(), performance.now(), randomBytes(8), sleep]',
      'export const later = (action: () => void) => setTimeout(action, 5)',
    ].join('\n'),
    'workers/gateway/admission/check.ts': [
      "import { open } from '../../../facilities/store/open.js'",
      "import { verify } from '../../../helpers/auth/verify.js'",
      "import { Gateway } from '../gateway.js'",
      'export const check = [open, verify, Gateway]',
    ].join('\n'),
    'workers/gateway.mts': [
      "import { settings } from '../config/settings.js'",
      "import { open } from '../facilities/store/open.js'",
      "import { Gateway } from './gateway/gateway.js'",
      'export const main = [settings, open, Gateway]',
    ].join('\n'),
    'workers/client.mts': "export const main = () => console.log('hello')",
    'config/settings.ts': [
      "import { readFile } from 'node:fs/promises'",
      "import { limits } from '../helpers/limits.js'",
      'export const settings = [readFile, limits]',
    ].join('\n'),
    'bench/run.ts': [
      "import { memoryStore } from '../tests/helpers/memory-storage.js'",
      'console.log(memoryStore, performance.now(), Math.random())',
    ].join('\n'),
  })
})
