import { createHash } from 'node:crypto'
import { Download, type DownloadOptions } from '../../../facilities/models/fetch/download.js'
import type { ModelProgress, PrepareOptions } from '../../../facilities/models/model-progress.js'
import { VirtualClock } from '../clock/virtual-clock.js'
import { SeededRandom } from '../seeded-random.js'
import { MemoryModelStorage } from './memory-model-storage.js'
import {
  type Answering,
  ScriptedFetch,
  type ServedFile,
  serving,
  unreachable,
} from './scripted-fetch.js'

export const MODEL_URL = 'https://example.com/models/x.gguf?signature=secret'
export const CONTENT = Buffer.concat([Buffer.from('GGUF'), Buffer.alloc(9_996, 'the weights ')])
export const OTHER_CONTENT = Buffer.concat([Buffer.from('GGUF'), Buffer.alloc(9_996, 'others ')])
export const ETAG = { etag: '"one"' }
/** The names of the downloaded file and of the files that precede it. */
export const FILE = 'x-1.gguf'
export const PARTIAL = `${FILE}.partial`
export const JOURNAL = `${FILE}.partial.json`

/** Hexadecimal. */
export function sha256(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex')
}

/** A download in memory, on a virtual clock. */
export class DownloadScene {
  readonly storage = new MemoryModelStorage()
  readonly clock = new VirtualClock()
  readonly progress: ModelProgress[] = []
  readonly #stepMs: number

  /** @param stepMs step of the clock: smaller is more exact, and slower */
  constructor(stepMs = 10) {
    this.#stepMs = stepMs
  }

  /** Downloads from that server, advancing the clock until the download ends. */
  async download(
    server: ScriptedFetch,
    options: Partial<DownloadOptions> & PrepareOptions = {},
  ): Promise<{ sizeBytes: number; sha256: string }> {
    const { onProgress, signal, ...others } = options
    const download = new Download({
      storage: this.storage,
      clock: this.clock,
      random: new SeededRandom(1),
      fetch: server.fetch,
      url: MODEL_URL,
      fileName: FILE,
      name: 'x',
      source: 'https://example.com/models/x.gguf?…',
      ...others,
    })
    const running = download.run({
      onProgress: (event) => {
        this.progress.push(event)
        onProgress?.(event)
      },
      ...(signal === undefined ? {} : { signal }),
    })
    let isSettled = false
    const settled = () => {
      isSettled = true
    }
    running.then(settled, settled)
    while (!isSettled) await this.clock.advance(this.#stepMs)
    return await running
  }

  /** The notices that the user was shown. */
  get notes(): string[] {
    return this.progress.flatMap(({ note }) => note ?? [])
  }
}

/** The answer of a server that has {@link CONTENT}. */
export function genuine(faults: Partial<ServedFile> = {}): Answering {
  return serving({ content: CONTENT, headers: ETAG, ...faults })
}

/** A server that closes the connection after 4,000 bytes and then cannot be reached. */
export function broken(faults: Partial<ServedFile> = {}): ScriptedFetch {
  return new ScriptedFetch(genuine({ breaksAfter: 4_000, ...faults }), unreachable)
}

/** The position of the first requested byte, for each request. */
export function starts({ requests }: ScriptedFetch): number[] {
  return requests.map(({ headers }) => Number(/\d+/.exec(headers.range ?? '')?.[0] ?? 0))
}
