import { execFile } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { isSystemError } from '../files/system-error.js'

const run = promisify(execFile)

/** prlimit takes milliseconds. */
const LOWER_TIMEOUT_MS = 5_000

/** New files and folders are accessible to their owner alone. */
const OWNER_ONLY = 0o077

/** `Max core file size        unlimited            unlimited            bytes` */
const CORE_LIMIT = /^Max core file size\s+(\S+)/m

/** How a process controls its own core dumps. */
export interface CoreDumpControl {
  /** The folder of this process in /proc. */
  readonly processFolder: string
  /** Sets the size limit of core files to 0, for this process and its children. */
  readonly lowerLimit: () => Promise<unknown>
}

const LINUX: CoreDumpControl = {
  processFolder: '/proc/self',
  // prlimit is part of util-linux. Node.js has no function for it.
  lowerLimit: async () => {
    const { PATH = '/usr/bin:/bin' } = process.env
    const options = { env: { PATH }, timeout: LOWER_TIMEOUT_MS }
    return await run('prlimit', ['--pid', String(process.pid), '--core=0'], options)
  },
}

/**
 * Disables core dumps, which would contain keys, and makes new files private, for this process and its
 * children. Call it before a key is read.
 */
export async function protectProcess(): Promise<void> {
  process.umask(OWNER_ONLY)
  if (await preventCoreDumps()) return
  process.stderr.write(
    'Core dumps cannot be disabled: after a crash, a core file may contain keys.\n',
  )
}

/**
 * Disables core dumps in two ways: by the size limit of core files, and by a filter that leaves all
 * memory out of a dump. The filter is needed if core dumps are piped to a program, such as apport, that
 * ignores the limit.
 *
 * Linux only. Other systems are left as they are; on macOS the limit is 0 by default.
 *
 * @returns false if neither way is possible on this Linux
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
    // prlimit is missing or not permitted.
    return isFiltered
  }
}

/**
 * Leaves all memory of this process out of core dumps.
 *
 * @returns whether it was possible; undefined if the system has no such filter
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
    // Unknown: it is lowered in any case.
    return undefined
  }
}
