import type Corestore from 'corestore'
import { StarlingError } from '../../helpers/errors/starling-error.js'
import { isSystemError } from '../home/system-error.js'

/** How the dynamic linker begins: `libatomic.so.1: cannot open shared object file …`. */
const LIBRARY = /([^\s/]+\.so[.\d]*): /

/**
 * Loads Corestore, and with it RocksDB's native code, not before it is needed: a machine that lacks a
 * library which that code wants, as a bare Debian lacks libatomic, is to be told so and not shown a
 * stack.
 *
 * @param load stands in for the import in tests
 * @throws StarlingError LIBRARY_MISSING
 */
export async function loadCorestore(
  load: () => Promise<{ default: typeof Corestore }> = () => import('corestore'),
): Promise<typeof Corestore> {
  try {
    return (await load()).default
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

/** The failure of the linker is the cause of what the package throws. */
function libraryMissedBy(error: unknown): string | undefined {
  if (!(error instanceof Error)) return undefined
  if (isSystemError(error, 'ERR_DLOPEN_FAILED')) return LIBRARY.exec(error.message)?.[1]
  return libraryMissedBy(error.cause)
}
