import type Corestore from 'corestore'
import type Hypercore from 'hypercore'
import { StarlingError } from '../../helpers/errors/starling-error.js'
import { isSystemError } from '../files/system-error.js'

/**
 * Written data that RocksDB keeps in memory before it makes a table of it: as large its log grows,
 * which is reserved on the disk and replayed after a crash.
 */
const WRITE_BUFFER_BYTES = 8 * 1024 * 1024

/** How the dynamic linker begins: `libatomic.so.1: cannot open shared object file …`. */
const LIBRARY = /([^\s/]+\.so[.\d]*): /

/** Opens Corestores in folders; each has to be made ready, and closed. */
export interface CorestoreOpener {
  forReading(folder: string): Corestore
  forWriting(folder: string): Corestore
}

/** The modules that bring RocksDB along. */
interface StoreModules {
  readonly Store: typeof Corestore
  readonly Core: typeof Hypercore
}

/**
 * Loads Corestore, and with it RocksDB's native code, not before it is needed: a machine that lacks a
 * library which that code wants, as a bare Debian lacks libatomic, is to be told so and not shown a
 * stack.
 *
 * @param load stands in for the imports in tests
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
      `The store cannot be opened: this machine lacks ${library}`,
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

/** The failure of the linker is the cause of what the package throws. */
function libraryMissedBy(error: unknown): string | undefined {
  if (!(error instanceof Error)) return undefined
  if (isSystemError(error, 'ERR_DLOPEN_FAILED')) return LIBRARY.exec(error.message)?.[1]
  return libraryMissedBy(error.cause)
}
