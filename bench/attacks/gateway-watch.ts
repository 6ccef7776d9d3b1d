import { execFile } from 'node:child_process'
import { statSync } from 'node:fs'
import { promisify } from 'node:util'
import type { Stage } from './attack.js'

const INTERVAL_MS = 500

const run = promisify(execFile)

/** Watches how much memory the gateway takes. */
export function memoryWatch({ mesh, cleanup }: Stage): { notes(): string[] } {
  const gateway = mesh.processId('gateway')
  let before: number | undefined
  let most = 0
  const timer = setInterval(async () => {
    const rss = await residentMebibytes(gateway)
    before ??= rss
    most = Math.max(most, rss)
  }, INTERVAL_MS)
  cleanup(async () => clearInterval(timer))
  return {
    notes: () => [`the gateway took ${before ?? 0} MiB before and ${most} MiB at the most`],
  }
}

/** Watches how much the gateway writes to its log. */
export function logWatch({ mesh }: Stage): { notes(): string[] } {
  const kibibytes = () => Math.round(statSync(mesh.logFile('gateway')).size / 1024)
  const before = kibibytes()
  return { notes: () => [`the gateway wrote ${kibibytes() - before} KiB of log`] }
}

async function residentMebibytes(processId: number): Promise<number> {
  const { stdout } = await run('ps', ['-o', 'rss=', '-p', String(processId)])
  return Math.round(Number.parseInt(stdout, 10) / 1024)
}
