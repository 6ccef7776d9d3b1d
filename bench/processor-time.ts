import { existsSync, readdirSync, readFileSync } from 'node:fs'

const NANOSECONDS_IN_MILLISECOND = 1e6

/** Whether the system reports the processor time of any process to the nanosecond: Linux does. */
export const REPORTS_PROCESSOR_TIME = existsSync('/proc/self/schedstat')

/**
 * The processor time that a process uses for each unit of work, in milliseconds: all of its threads, in user and
 * kernel mode.
 *
 * @param work does the work with that process. Resolves to the number of units
 */
export async function processorTimePerUnit(
  processId: number,
  work: () => Promise<number>,
): Promise<number> {
  const before = processorTimeMs(processId)
  const units = await work()
  return (processorTimeMs(processId) - before) / units
}

/** Since the process started, in milliseconds. Without threads that have ended. */
function processorTimeMs(processId: number): number {
  const threads = `/proc/${processId}/task`
  // The first number is the time on a processor, see https://docs.kernel.org/scheduler/sched-stats.html
  const nanoseconds = readdirSync(threads).map((thread) =>
    Number(readFileSync(`${threads}/${thread}/schedstat`, 'utf8').split(' ')[0]),
  )
  return nanoseconds.reduce((total, one) => total + one, 0) / NANOSECONDS_IN_MILLISECOND
}
