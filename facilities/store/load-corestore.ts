import type Corestore from 'corestore'
import type Hypercore from 'hypercore'
import { StarlingError } from '../../helpers/errors/starling-error.js'
import { isSystemError } from '../files/system-error.js'

/**
 * Data that RocksDB keeps in memory before it writes a table. Its write-ahead log, which is reserved on disk
 * and replayed after a crash, grows to the same size.
 */
const WRITE_BUFFER_BYTES = 8 * 1024 * 1024

/** How messages of the dynamic linker begin: `libatomic.so.1: cannot open shared object file …`. */
const LIBRARY = /([^\s/]+\.so[.\d]*): /

/** Opens Corestores in folders. The caller makes each ready, and closes it. */
export interface CorestoreOpener {
  forReading(folder: string): Corestore
  forWriting(folder: string): Corestore
}

/** The modules that load RocksDB. */
interface StoreModules {
  readonly Store: typeof Corestore
  readonly Core: typeof Hypercore
}

/**
 * Loads Corestore, and with it RocksDB's native code, when it is needed. If a library is missing that the code
 * needs, such as libatomic on a bare Debian, the error names it.
 *
 * @param load replaces the imports in tests
 * @throws StarlingError LIBRARY_MISSING
 */
export async function loadCorestore(
  load: () => Promise<StoreModules> = importModules,
): Promise<CorestoreOpener> {
  try {
    return openerOf(await load())
  } catch (cause) {
    const library = libraryMissedBy(cause)
    if (library === undefined) throw cause
    throw new StarlingError(
      'LIBRARY_MISSING',
      `The store cannot be opened: the library ${library} is missing`,
      { cause },
    )
  }
}

async function importModules(): Promise<StoreModules> {
  const [{ default: Store }, { default: Core }] = await Promise.all([
    import('corestore'),
    import('hypercore'),
  ])
  return { Store, Core }
}

function openerOf({ Store, Core }: StoreModules): CorestoreOpener {
  return {
    forReading: (folder) => new Store(folder, { readOnly: true }),
    forWriting: (folder) =>
      new Store(
        Core.defaultStorage(folder, {
          // A copied store may be opened. A stale copy is detected by the witness.
          allowBackup: true,
          writeBufferSize: WRITE_BUFFER_BYTES,
        }),
      ),
  }
}

/** The linker's error is the cause of the package's error. */
function libraryMissedBy(error: unknown): string | undefined {
  if (!(error instanceof Error)) return undefined
  if (isSystemError(error, 'ERR_DLOPEN_FAILED')) return LIBRARY.exec(error.message)?.[1]
  return libraryMissedBy(error.cause)
}
