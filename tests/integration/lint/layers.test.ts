import { spawnSync } from 'node:child_process'
import { mkdir, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import test, { type Test } from 'brittle'

const PROJECT = fileURLToPath(new URL('../../..', import.meta.url))
const CHECK = join(PROJECT, '.ci', 'check-layers.mjs')
const ROLES = ['auth', 'gateway', 'processor', 'client', 'mesh']

/** Checks a project of these files. @returns the lines that report violations */
async function check(t: Test, files: Record<string, string>): Promise<string[]> {
  const root = await t.tmp()
  for (const [file, text] of Object.entries(files)) {
    await mkdir(dirname(join(root, file)), { recursive: true })
    await writeFile(join(root, file), `${text}\n`)
  }
  const { stdout, status } = spawnSync(process.execPath, [CHECK, root], { encoding: 'utf8' })
  const lines = stdout.trimEnd().split('\n')
  t.is(
    lines.pop(),
    `Checked the imports of ${Object.keys(files).length} files: ${lines.length} problems.`,
  )
  t.is(status, lines.length === 0 ? 0 : 1)
  return lines
}

/** Checks that every one of these files is reported for its import. */
async function assertRefused(t: Test, imports: readonly (readonly [string, string])[]) {
  const files = Object.fromEntries(imports)
  const refused = (await check(t, files)).map((line) => line.split(':', 1)[0])
  for (const [file, text] of imports) t.ok(refused.includes(file), `${file}: ${text}`)
}

/** One import in each of its forms. */
function everyForm(folder: string, path: string): [string, string][] {
  const forms = [
    `import { x } from '${path}'`,
    `import type { X } from '${path}'`,
    `import {\n  type X,\n  type Y,\n} from '${path}'`,
    `export { x } from '${path}'`,
    `export * from '${path}'`,
    `export type { X } from '${path}'`,
    `import '${path}'`,
    `export const load = () => import('${path}')`,
    `export type X = import('${path}').X`,
  ]
  return forms.map((text, index) => [`${folder}/bad-${index}.ts`, text])
}

test('should refuse an import in each of its forms when it points upward', async (t) => {
  await assertRefused(t, [
    ...everyForm('helpers/routing', '../../facilities/store/open.js'),
    ...everyForm('facilities/store', '../../workers/gateway/gateway-worker.js'),
    ...everyForm('facilities/home', '../network/mesh-network.js'),
    ...everyForm('facilities/network/trust', '../calls/service.js'),
    ...everyForm('workers/gateway', '../auth/accounts.js'),
  ])
})

test('should refuse an import when it points against the layers', async (t) => {
  const pairs: readonly (readonly [string, string])[] = [
    ['helpers/routing', '../../workers/gateway/router.js'],
    ['helpers/routing', '../../config/schema.js'],
    ['helpers/routing', '../../tests/helpers/until.js'],
    ['helpers/errors', '../protocol/method.js'],
    ['facilities/store', '../../config/schema.js'],
    ['facilities/store', '../../tests/helpers/until.js'],
    ['facilities/store', '../../bench/measure.js'],
    ['facilities/clock', '../files/file-lock.js'],
    ['facilities/http', '../worker/worker-health.js'],
    ['config', '../facilities/store/open-store.js'],
    ['config', '../workers/gateway/router.js'],
    ['workers/gateway', '../../config/schema.js'],
    ['workers/gateway', '../gateway.mjs'],
    ['workers/gateway', '../../tests/helpers/until.js'],
    ['facilities/rumours', '../clock/clock.js'],
    ['facilities/store', '../rumours/rumour.js'],
  ]
  await assertRefused(
    t,
    pairs.map(([folder, path], index) => [
      `${folder}/bad-${index}.ts`,
      `export type { X } from '${path}'`,
    ]),
  )
  await assertRefused(t, [
    ['workers/gateway.mts', "export { until } from '../tests/helpers/until.js'"],
    ['workers/auth.mts', "export { main } from './gateway.mjs'"],
  ])
})

test('should refuse an import when a role imports another role', async (t) => {
  const imports: [string, string][] = []
  for (const role of ROLES) {
    const others = ROLES.filter((other) => other !== role)
    for (const other of others) {
      const refused = (file: string, path: string) =>
        imports.push([`workers/${role}/${file}-${other}.ts`, `export { x } from '${path}'`])
      refused('folder', `../${other}/x.js`)
      refused('entry', `../${other}.mjs`)
      refused('deep/folder', `../../${other}/x.js`)
      refused('deep/er/folder', `../../../${other}/x.js`)
      refused('around', `../../workers/${other}/x.js`)
    }
    const all = others.map((other) => `export { x as ${other} } from './${other}/x.js'`)
    imports.push([`workers/${role}.mts`, all.join('\n')])
  }
  await assertRefused(t, imports)
})

test('should refuse a package when a helper could reach input or output through it', async (t) => {
  const builtins = ['fs', 'fs/promises', 'net', 'http', 'dgram', 'os', 'process', 'child_process']
  const timers = ['timers', 'timers/promises', 'perf_hooks', 'worker_threads']
  const packages = ['hyperdht', 'corestore', '@hyperswarm/rpc', 'node-llama-cpp']
  const names = [...[...builtins, ...timers].map((name) => `node:${name}`), ...packages]
  await assertRefused(
    t,
    names.map((name, index) => [
      `helpers/text/bad-${index}.ts`,
      `import type * as world from '${name}'`,
    ]),
  )
})

test('should refuse an import cycle when files import each other, even if only their types', async (t) => {
  const cycle = await check(t, {
    'helpers/text/one.ts': "import type { Two } from './two.js'",
    'helpers/text/two.ts': "export type { Three } from './three.js'",
    'helpers/text/three.ts': "export type One = import('./one.js').One",
    'helpers/text/none.ts': "import type { One } from './one.js'",
  })
  t.is(cycle.length, 1)
  t.ok(cycle[0]?.startsWith('import cycle: '), cycle[0])
  for (const name of ['one', 'two', 'three']) t.ok(cycle[0]?.includes(`helpers/text/${name}.ts`))
})

test('should refuse a folder when it contains more than 20 files', async (t) => {
  const files = Array.from({ length: 21 }, (_, index) => `helpers/text/file-${index}.ts`)
  const refused = await check(t, Object.fromEntries(files.map((file) => [file, ''])))
  t.alike(refused, ['helpers/text contains 21 files; the limit is 20'])
  t.alike(await check(t, Object.fromEntries(files.slice(1).map((file) => [file, '']))), [])
})

test('should accept what the layers allow', async (t) => {
  const refused = await check(t, {
    'helpers/routing/pick.ts':
      "import { createHash } from 'node:crypto'\nimport { hash } from '../protocol/hash.js'",
    'facilities/store/open.ts':
      "import type { Clock } from '../clock/clock.js'\nimport { pick } from '../../helpers/routing/pick.js'",
    'facilities/network/mesh-network.ts': "import { Service } from './calls/service.js'",
    'workers/gateway/admission/check.ts':
      "import { open } from '../../../facilities/store/open.js'\nimport { Gateway } from '../gateway.js'",
    'workers/gateway.mts':
      "import { settings } from '../config/settings.js'\nimport { Gateway } from './gateway/gateway.js'",
    'config/settings.ts': "import { limits } from '../helpers/protocol/limits.js'",
    'bench/run.ts': "import { until } from '../tests/helpers/until.js'",
    'tests/unit/run.test.ts': "import { pick } from '../../helpers/routing/pick.js'",
  })
  t.alike(refused, [])
})

test('should fail when there is nothing to check', async (t) => {
  const { status } = spawnSync(process.execPath, [CHECK, await t.tmp()])
  t.is(status, 1)
})
