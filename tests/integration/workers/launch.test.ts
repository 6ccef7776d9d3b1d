import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { cp, mkdir, readdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import test, { type Test } from 'brittle'

const ROOT = join(import.meta.dirname, '..', '..', '..')
const NAMES = ['auth', 'client', 'gateway', 'mesh', 'processor']

/** A checkout before `npm install`: of the entries it has what is not compiled. */
async function checkout(t: Test): Promise<string> {
  const directory = await t.tmp()
  await mkdir(join(directory, 'workers'))
  const scripts = (await readdir(join(ROOT, 'workers'))).filter((name) => name.endsWith('.js'))
  for (const file of ['package.json', ...scripts.map((name) => `workers/${name}`)]) {
    await cp(join(ROOT, file), join(directory, file))
  }
  return directory
}

/** What `node workers/<name>.js` writes to standard error, and its exit code. */
async function launched(directory: string, name: string) {
  const stdio = ['ignore', 'ignore', 'pipe'] as const
  const child = spawn(process.execPath, [`workers/${name}.js`], {
    cwd: directory,
    stdio: [...stdio],
  })
  let text = ''
  child.stderr?.on('data', (chunk) => {
    text += chunk
  })
  const [code] = await once(child, 'close')
  return { code, text }
}

test('should say to run npm install when nothing is compiled', async (t) => {
  const directory = await checkout(t)
  for (const name of NAMES) {
    t.alike(await launched(directory, name), { code: 1, text: toInstall(name) })
  }
})

test('should say to run npm install when a package is missing, and hide no other failure', async (t) => {
  const directory = await checkout(t)
  const entry = (name: string, source: string) =>
    writeFile(join(directory, 'workers', `${name}.mjs`), source)
  await entry('mesh', "import 'a-package-that-is-not-installed'\n")
  await entry('auth', "throw new Error('something else')\n")
  t.alike(await launched(directory, 'mesh'), { code: 1, text: toInstall('mesh') })
  const { code, text } = await launched(directory, 'auth')
  t.is(code, 1)
  t.ok(text.includes('something else'))
})

function toInstall(name: string): string {
  return `${name}: Starling is not installed completely. Run this first: npm install\n`
}
