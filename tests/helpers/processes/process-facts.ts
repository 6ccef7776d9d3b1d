import { readFile } from 'node:fs/promises'

/** What Linux tells about a process: what others may see of it, and what it leaves when it crashes. */
export interface ProcessFacts {
  /** What `ps` shows to every user of the machine. */
  readonly commandLine: readonly string[]
  /** What it was started with. */
  readonly environment: ReadonlyMap<string, string>
  /** The size of its core files, in bytes: the soft limit. */
  readonly coreLimit: string
  /** Which kinds of memory a core dump has, as a bit mask. */
  readonly coreFilter: number
}

/** Reads what /proc knows of a process. */
export async function processFacts(processId: number): Promise<ProcessFacts> {
  const read = (name: string) => readFile(`/proc/${processId}/${name}`, 'utf8')
  const environment = (await read('environ')).split('\0').filter((entry) => entry !== '')
  const limit = /^Max core file size\s+(\S+)/m.exec(await read('limits'))?.[1]
  return {
    commandLine: (await read('cmdline')).split('\0').slice(0, -1),
    environment: new Map(
      environment.map((entry): [string, string] => {
        const end = entry.indexOf('=')
        return [entry.slice(0, end), entry.slice(end + 1)]
      }),
    ),
    coreLimit: limit ?? 'unknown',
    coreFilter: Number.parseInt(await read('coredump_filter'), 16),
  }
}
