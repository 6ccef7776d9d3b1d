import { execFileSync } from 'node:child_process'
import { chmod, mkdir, readdir, readFile, rm, stat, symlink, writeFile } from 'node:fs/promises'
import { dirname } from 'node:path'
import test, { type Test } from 'brittle'
import type { Clock } from '../../../../facilities/clock/clock.js'
import { SystemRandom } from '../../../../facilities/clock/random.js'
import { SystemClock } from '../../../../facilities/clock/system-clock.js'
import { FileLock } from '../../../../facilities/files/file-lock.js'
import { Home } from '../../../../facilities/home/home.js'
import { PeersFile } from '../../../../facilities/home/peers-file.js'
import { createLog } from '../../../../facilities/log/log.js'
import type { RememberedPeer } from '../../../../helpers/discovery/remembered-peers.js'
import { HastyClock } from '../../../helpers/clock/hasty-clock.js'
import { VirtualClock } from '../../../helpers/clock/virtual-clock.js'

const MESH = 'ab'.repeat(32)
const NOW_MS = Date.UTC(2026, 0, 1)

async function scene(t: Test) {
  const home = await Home.open(await t.tmp())
  await home.folder('mesh')
  const path = home.path('mesh', 'peers.json')
  const lines: string[] = []
  const log = createLog({
    name: 'test',
    level: 'warn',
    json: true,
    output: { write: (line) => lines.push(line) },
  })
  const open = (clock: Clock = new VirtualClock(NOW_MS), mesh = MESH) =>
    new PeersFile({ home, mesh, clock, random: new SystemRandom(), log })
  return { home, path, lines, open }
}

function peer(changes: Partial<RememberedPeer> = {}): RememberedPeer {
  return {
    role: 'gateway',
    publicKey: 'cd'.repeat(32),
    addresses: [{ host: '127.0.0.1', port: 4000 }],
    provedAt: NOW_MS - 1_000,
    ...changes,
  }
}

test('should bring back the peers of all processes when they are merged', async (t) => {
  const { open, path, lines } = await scene(t)
  t.alike(await open().load(), [])
  const other = peer({ role: 'auth', provedAt: NOW_MS - 2_000 })
  await open().merge([peer()])
  t.alike(await open().merge([other]), [peer(), other])
  t.alike(await open().load(), [peer(), other])
  t.is((await stat(path)).mode & 0o777, 0o600)
  t.alike(lines, [])
})

test('should lose no peer when many processes merge at the same time', async (t) => {
  const { open } = await scene(t)
  const peers = Array.from({ length: 8 }, (_, index) =>
    peer({ publicKey: `${index}`.repeat(64), provedAt: NOW_MS - index }),
  )
  await Promise.all(peers.map((one) => open(new SystemClock()).merge([one])))
  t.alike(await open().load(), peers)
})

const DAMAGES: Record<string, (path: string) => Promise<unknown>> = {
  'is cut off': (path) => writeFile(path, '{"version":1,', { mode: 0o600 }),
  'has an address that is none': (path) =>
    writeFile(
      path,
      JSON.stringify({
        version: 1,
        mesh: MESH,
        peers: [{ ...peer(), addresses: [{ host: 'example.com', port: 1 }] }],
      }),
      { mode: 0o600 },
    ),
  'has a port that is none': (path) =>
    writeFile(
      path,
      JSON.stringify({
        version: 1,
        mesh: MESH,
        peers: [{ ...peer(), addresses: [{ host: '127.0.0.1', port: 65_536 }] }],
      }),
      { mode: 0o600 },
    ),
  'is of another mesh': (path) =>
    writeFile(path, JSON.stringify({ version: 1, mesh: 'ef'.repeat(32), peers: [peer()] }), {
      mode: 0o600,
    }),
  'is of another version': (path) =>
    writeFile(path, JSON.stringify({ version: 2, mesh: MESH, peers: [] }), { mode: 0o600 }),
  'is too long': (path) => writeFile(path, ' '.repeat(300_000), { mode: 0o600 }),
  'is readable by others': async (path) => {
    await writeFile(path, JSON.stringify({ version: 1, mesh: MESH, peers: [peer()] }))
    await chmod(path, 0o644)
  },
  'is a symbolic link': (path) => symlink('/etc/hostname', path),
  'is a FIFO': async (path) => execFileSync('mkfifo', [path]),
}

for (const [name, damage] of Object.entries(DAMAGES)) {
  test(`should set the file aside, say so and go on when it ${name}`, async (t) => {
    t.timeout(3_000)
    const { open, path, lines } = await scene(t)
    await damage(path)
    t.alike(await open().load(), [])
    t.is(lines.length, 1)
    t.ok(lines[0]?.includes('set aside'))
    t.ok((await readdir(dirname(path))).includes('peers.json.damaged'))
    await open().merge([peer()])
    t.alike(await open().load(), [peer()])
    t.is(lines.length, 1)
  })
}

test('should not believe a time that is still to come when the clock was ahead', async (t) => {
  const { open } = await scene(t)
  await open(new VirtualClock(NOW_MS + 3_600_000)).merge([peer({ provedAt: NOW_MS + 3_600_000 })])
  t.alike(await open().load(), [peer({ provedAt: NOW_MS })])
})

test('should go on with what it was given, and say so, when the file cannot be written', async (t) => {
  const { open, path, lines } = await scene(t)
  await rm(dirname(path), { recursive: true })
  t.alike(await open().merge([peer()]), [peer()])
  t.ok(lines.some((line) => line.includes('not remembered')))
  await mkdir(path, { recursive: true, mode: 0o700 })
  t.alike(await open().merge([peer()]), [peer()], 'a folder is set aside')
})

test('should not wait for long when another process holds the lock', async (t) => {
  const { open, path, lines } = await scene(t)
  const clock = new HastyClock(100)
  const lock = await FileLock.take(`${path}.lock`, { clock, onWait: () => undefined, isKept: true })
  t.alike(await open(clock).merge([peer()]), [peer()])
  t.ok(lines.some((line) => line.includes('has held the lock')))
  await lock.release()
  await open(clock).merge([peer()])
  t.ok((await readFile(path, 'utf8')).includes(peer().publicKey))
})

test('should return the same array as long as the file has not changed', async (t) => {
  const { open } = await scene(t)
  const file = open()
  t.is(await file.load(), await file.load())
  await file.merge([peer()])
  const before = await file.load()
  t.is(await file.load(), before)
  await open().merge([peer({ role: 'auth' })])
  t.is((await file.load()).length, 2)
})
