import { execFile } from 'node:child_process'
import { mkdir, mkdtemp, readdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import test, { type Test } from 'brittle'
import type { Random } from '../../../facilities/clock/random.js'
import type { Cleanup } from '../cleanup.js'

const SOURCE = join(import.meta.dirname, '..', '..', 'fixtures', 'power-cut.c')
/** The size of a sector, which a disk writes atomically. */
const SECTOR_BYTES = 4096

interface Name {
  readonly kind: 'f' | 'd'
  readonly id: string
  readonly name: string
}

/** Why a power cut cannot be simulated here, or null when it can: it takes a C compiler and Linux. */
async function unavailable(): Promise<string | null> {
  if (process.platform !== 'linux') return 'only Linux preloads libraries this way'
  try {
    await promisify(execFile)('cc', ['--version'])
    return null
  } catch {
    // Not installed; the returned reason says so.
    return 'there is no C compiler (cc)'
  }
}

const reason = await unavailable()

/** A test that simulates power cuts. Where that is impossible, it is skipped, and its name says why. */
export function powerTest(name: string, run: (t: Test) => Promise<void>): void {
  if (reason === null) test(name, run)
  else test.skip(`${name}: ${reason}`, run)
}

/**
 * A folder on a disk whose power can be cut: processes that run with its environment record what they
 * have synced, and a cut reverts everything else. See tests/fixtures/power-cut.c.
 */
export class PowerCut {
  readonly #folder: string
  readonly #notes: string
  readonly #library: string

  private constructor(folder: string, notes: string, library: string) {
    this.#folder = folder
    this.#notes = notes
    this.#library = library
  }

  /** Treats the present content of the folder as synced. @throws Error when the library does not compile */
  static async of(folder: string, cleanup: Cleanup): Promise<PowerCut> {
    const directory = await mkdtemp(join(tmpdir(), 'starling-power-'))
    cleanup.add(() => rm(directory, { recursive: true, force: true }))
    const library = join(directory, 'power-cut.so')
    await promisify(execFile)('cc', ['-shared', '-fPIC', '-O1', '-o', library, SOURCE])
    const cut = new PowerCut(folder, join(directory, 'notes'), library)
    await mkdir(cut.#notes)
    await cut.#noteAll(folder)
    return cut
  }

  /** The environment of the processes that write to the folder. */
  get environment(): Record<string, string> {
    return {
      LD_PRELOAD: this.#library,
      POWER_CUT_ROOT: this.#folder,
      POWER_CUT_NOTES: this.#notes,
      // The library does not intercept the syncs of io_uring.
      UV_USE_IO_URING: '0',
    }
  }

  /**
   * Reduces the folder to what a disk would hold after a power cut. No process may write to it.
   *
   * @param keeps decides what reached the disk although it was not synced; default nothing
   */
  async cut(keeps?: Random): Promise<void> {
    const after = `${this.#folder}.after`
    await this.#restore(this.#folder, await identify(this.#folder), after, keeps)
    await rm(this.#folder, { recursive: true })
    await rename(after, this.#folder)
    await rm(this.#notes, { recursive: true })
    await mkdir(this.#notes)
    await this.#noteAll(this.#folder)
  }

  /** Makes `to` from the record of a folder; `from` is the folder before the cut. */
  async #restore(from: string | null, id: string, to: string, keeps?: Random): Promise<void> {
    await mkdir(to, { mode: 0o700 })
    const now = from === null ? [] : await namesIn(from)
    const synced = await this.#noted(id)
    for (const name of new Set([...synced, ...now].map(({ name }) => name))) {
      const isName = (entry: Name) => entry.name === name
      const candidates = [synced.find(isName), ...(keeps ? [now.find(isName)] : [])]
      const entry = candidates[keeps?.below(candidates.length) ?? 0]
      if (entry === undefined) continue
      const isThere = now.some((other) => other.name === name && other.id === entry.id)
      const before = isThere && from !== null ? join(from, name) : null
      if (entry.kind === 'd') await this.#restore(before, entry.id, join(to, name), keeps)
      else await this.#restoreFile(before, entry.id, join(to, name), keeps)
    }
  }

  async #restoreFile(from: string | null, id: string, to: string, keeps?: Random): Promise<void> {
    const synced = await readOrEmpty(join(this.#notes, `file-${id}`))
    const now = from === null ? synced : await readFile(from)
    await writeFile(to, keeps ? mixture(synced, now, keeps) : synced, { mode: 0o600 })
  }

  async #noted(id: string): Promise<Name[]> {
    const lines = (await readOrEmpty(join(this.#notes, `folder-${id}`))).toString().split('\n')
    return lines.filter(Boolean).map((line) => {
      const [kind, entry, ...name] = line.split(' ')
      return { kind: kind === 'd' ? 'd' : 'f', id: entry ?? '', name: name.join(' ') }
    })
  }

  async #noteAll(folder: string): Promise<void> {
    const names = await namesIn(folder)
    const lines = names.map(({ kind, id, name }) => `${kind} ${id} ${name}\n`)
    await writeFile(join(this.#notes, `folder-${await identify(folder)}`), lines.join(''))
    for (const { kind, id, name } of names) {
      if (kind === 'd') await this.#noteAll(join(folder, name))
      else {
        await writeFile(join(this.#notes, `file-${id}`), await readFile(join(folder, name)))
      }
    }
  }
}

/** The library's name of an inode. */
async function identify(path: string): Promise<string> {
  const { ino, birthtimeNs } = await stat(path, { bigint: true })
  const nanoseconds = String(birthtimeNs % 1_000_000_000n).padStart(9, '0')
  return `${ino}-${birthtimeNs / 1_000_000_000n}.${nanoseconds}`
}

async function namesIn(folder: string): Promise<Name[]> {
  const names: Name[] = []
  for (const entry of await readdir(folder, { withFileTypes: true })) {
    const id = await identify(join(folder, entry.name))
    names.push({ kind: entry.isDirectory() ? 'd' : 'f', id, name: entry.name })
  }
  return names
}

async function readOrEmpty(path: string): Promise<Buffer> {
  try {
    return await readFile(path)
  } catch {
    // It was never synced.
    return Buffer.alloc(0)
  }
}

/** Appended data reaches the disk from its beginning on; overwritten data sector by sector. */
function mixture(synced: Buffer, now: Buffer, random: Random): Buffer {
  if (now.subarray(0, synced.byteLength).equals(synced)) {
    return now.subarray(0, synced.byteLength + random.below(now.byteLength - synced.byteLength + 1))
  }
  const mixed = Buffer.from(random.below(2) === 0 ? synced : now)
  const [other] = mixed.equals(now) ? [synced] : [now]
  for (let start = 0; start < mixed.byteLength; start += SECTOR_BYTES) {
    if (random.below(2) === 0) other?.copy(mixed, start, start, start + SECTOR_BYTES)
  }
  return mixed
}
