import { execFile } from 'node:child_process'
import { setTimeout } from 'node:timers/promises'

/** Resolves when a process has ended; one whose parent did not collect it yet counts as ended. */
export async function processGone(processId: number): Promise<void> {
  while (await isRunning(processId)) await setTimeout(20)
}

/** Whether a process runs. */
export async function isRunning(processId: number): Promise<boolean> {
  const state = await new Promise<string>((resolve) => {
    // ps fails and prints nothing when there is no such process.
    execFile('ps', ['-o', 'stat=', '-p', String(processId)], (_, output) => resolve(output.trim()))
  })
  return state !== '' && !state.startsWith('Z')
}
