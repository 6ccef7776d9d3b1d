import { execFile } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { isSystemError } from '../home/system-error.js'

const run = promisify(execFile)

/** prlimit takes milliseconds. */
const LOWER_TIMEOUT_MS = 5_000

/** Files and folders that are made from now on are for their owner alone. */
const OWNER_ONLY = 0o077

/** `Max core file size        unlimited            unlimited            bytes` */
const CORE_LIMIT = /^Max core file size\s+(\S+)/m

/** What the operating system lets a process do about its core dumps. */
export interface CoreDumpControl {
  /** The folder in which Linux describes this process. */
  readonly processFolder: string
  /** Sets the size limit of core files to 0, for this process and those that it starts. */
  readonly lowerLimit: () => Promise<unknown>
}

const LINUX: CoreDumpControl = {
  processFolder: '/proc/self',
  // Part of util-linux. Node can change no limit of its own process.
  lowerLimit: async () => {
    const { PATH = '/usr/bin:/bin' } = process.env
    const options = { env: { PATH }, timeout: LOWER_TIMEOUT_MS }
    return await run('prlimit', ['--pid', String(process.pid), '--core=0'], options)
  },
}

/**
 * Keeps what this process and those that it starts have in memory, such as keys, out of core files,
 * and the files that they make from other users. To be called before a key is read.
 */
export async function protectProcess(): Promise<void> {
  process.umask(OWNER_ONLY)
  if (await preventCoreDumps()) return
  process.stderr.write('Core dumps cannot be switched off: a crash may write keys into a file.\n')
}

/**
 * Prevents core dumps in two ways, because neither is enough everywhere: a program that core dumps are
 * piped to, such as apport, may disregard the size limit, and then gets a dump without any memory.
 *
 * Linux only. Elsewhere nothing is done: macOS sets the limit to 0 unless its owner raises it.
 *
 * @returns false on a Linux that allows neither
 */
export async function preventCoreDumps(control: CoreDumpControl = LINUX): Promise<boolean> {
  const isFiltered = filterCoreDumps(control)
  if (isFiltered === undefined) return true
  const limit = coreLimit(control)
  if (limit === '0') return true
  try {
    await control.lowerLimit()
    return true
  } catch {
    // prlimit is not installed or not permitted.
    return isFiltered
  }
}

/**
 * Leaves all memory out of core dumps: the first of the two ways, at once.
 *
 * @returns undefined where the system has no such filter
 */
export function filterCoreDumps({
  processFolder,
}: Pick<CoreDumpControl, 'processFolder'> = LINUX): boolean | undefined {
  try {
    writeFileSync(join(processFolder, 'coredump_filter'), '0', { flag: 'r+' })
    return true
  } catch (error) {
    return isSystemError(error, 'ENOENT') ? undefined : false
  }
}

function coreLimit({ processFolder }: CoreDumpControl): string | undefined {
  try {
    return CORE_LIMIT.exec(readFileSync(join(processFolder, 'limits'), 'utf8'))?.[1]
  } catch {
    // Not known: it is lowered, whatever it is.
    return undefined
  }
}
