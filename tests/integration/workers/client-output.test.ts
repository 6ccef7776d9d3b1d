import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import test, { type Test } from 'brittle'
import { foundMesh } from '../../helpers/workers/mesh-home.js'

const CHILD = join(import.meta.dirname, '..', '..', 'helpers', 'engine', 'long-output-child.js')

/** A command that has just written 500,000 bytes to a pipe that nobody reads. */
async function start(t: Test) {
  const home = await t.tmp()
  await foundMesh(home)
  const child = spawn(process.execPath, [CHILD, home, '500'])
  const exit = once(child, 'exit')
  await once(child.stderr, 'data')
  return { child, exit }
}

test('should write all of a long output when its reader begins late', async (t) => {
  const { child, exit } = await start(t)
  let bytes = 0
  for await (const chunk of child.stdout) bytes += chunk.length
  t.is(bytes, 500_000)
  t.alike(await exit, [0, null])
})

test('should end at once when it is interrupted and nobody reads its output', async (t) => {
  const { child, exit } = await start(t)
  child.kill('SIGINT')
  const [code, signal] = await exit
  t.alike([code, signal], [0, null])
})
