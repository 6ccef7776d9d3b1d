import { execFile } from 'node:child_process'
import { mkdir, open, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { isSystemError } from '../../../facilities/files/system-error.js'
import type { Running, WorkerProcesses } from '../processes/worker-processes.js'

/** Smaller than what RocksDB reserves for its write-ahead log, so that it reserves nothing. */
const FREE_AT_START_MEBIBYTES = 6
const DISK_MEBIBYTES = 40

/** Why there can be no small disk here, or null when there can: it takes Linux and its namespaces. */
export async function smallDiskUnavailable(): Promise<string | null> {
  if (process.platform !== 'linux') return 'only Linux has mount namespaces'
  try {
    await promisify(execFile)('unshare', ['-rm', 'mount', '-t', 'tmpfs', 'tmpfs', '/mnt'])
    return null
  } catch {
    // Not installed or not permitted; the returned reason says so.
    return 'this user may not mount a file system in a namespace (unshare -rm)'
  }
}

/**
 * A worker whose folder is on a separate disk of 40 MiB, which only that process and its children
 * see and which is removed with it.
 */
export class SmallDisk {
  readonly worker: Running
  /** The worker's folder, as other processes reach it. */
  readonly folder: string

  private constructor(worker: Running, folder: string) {
    this.worker = worker
    this.folder = folder
  }

  /** Starts `node workers/<name>.js`, and waits until it serves. */
  static async start(
    processes: WorkerProcesses,
    name: string,
    flags: readonly string[] = [],
  ): Promise<SmallDisk> {
    const folder = join(processes.home, name)
    await mkdir(folder, { recursive: true, mode: 0o700 })
    const ballast = `${DISK_MEBIBYTES - FREE_AT_START_MEBIBYTES}M`
    const script =
      `mount -t tmpfs -o size=${DISK_MEBIBYTES}m,mode=0700 tmpfs '${folder}' && ` +
      `head -c ${ballast} /dev/zero > '${folder}/ballast' && ` +
      `exec ${process.execPath} workers/${name}.js "$@"`
    const worker = processes.spawn('unshare', ['-rm', 'sh', '-c', script, 'sh', ...flags])
    await worker.says(' ready ', 30_000)
    return new SmallDisk(worker, join(`/proc/${worker.pid}/root`, folder))
  }

  /**
   * Starts a worker, or a command of the client, whose whole home is on a disk that has room for few
   * files and folders.
   */
  static startFull(
    processes: WorkerProcesses,
    inodes: number,
    [name, ...parameters]: readonly [string, ...string[]],
  ): Running {
    const script =
      `mount -t tmpfs -o nr_inodes=${inodes},mode=0700 tmpfs '${processes.home}' && ` +
      `exec ${process.execPath} workers/${name}.js "$@"`
    return processes.spawn('unshare', ['-rm', 'sh', '-c', script, 'sh', ...parameters])
  }

  /** Fills the free space. */
  async fill(): Promise<void> {
    for (const sizeBytes of [1 << 20, 4096]) {
      const file = await open(join(this.folder, 'ballast'), 'a')
      try {
        const bytes = Buffer.alloc(sizeBytes)
        for (;;) await file.appendFile(bytes)
      } catch (error) {
        if (!isSystemError(error, 'ENOSPC')) throw error
      } finally {
        await file.close()
      }
    }
  }

  /** Frees the space again. */
  async free(): Promise<void> {
    await rm(join(this.folder, 'ballast'))
  }
}
