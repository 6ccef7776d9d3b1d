import { lstat, readdir, realpath } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { assertFixed, assertTrusted, currentUser } from './path-trust.js'

/**
 * Makes sure that a folder can be trusted: see {@link assertTrusted}. It may be reached by a link; then
 * what the link leads to is looked at, with all folders above it.
 *
 * @param options.above whether the folders above it are looked at in any case: of the home itself
 * @param options.user who runs this process
 * @throws StarlingError HOME_UNUSABLE; the error of the file system
 */
export async function assertTrustedFolder(
  path: string,
  options: { readonly above: boolean; readonly user?: number | undefined },
): Promise<void> {
  const user = options.user ?? currentUser()
  const isLink = (await lstat(path)).isSymbolicLink()
  const real = isLink || options.above ? await realpath(path) : path
  assertTrusted(real, await lstat(real), 'folder', user)
  if (!isLink && !options.above) return
  for (let folder = real; dirname(folder) !== folder; ) {
    folder = dirname(folder)
    assertFixed(folder, await lstat(folder))
  }
}

/**
 * Makes sure that everything in a folder and below can be trusted, before it is handed to code that
 * opens files in its own way, such as a database's. Links are refused, to folders too.
 *
 * @throws StarlingError HOME_UNUSABLE; the error of the file system
 */
export async function assertTrustedTree(
  path: string,
  user: number | undefined = currentUser(),
): Promise<void> {
  assertTrusted(path, await lstat(path), 'folder', user)
  for (const entry of await readdir(path, { withFileTypes: true })) {
    const inner = join(path, entry.name)
    if (entry.isDirectory()) await assertTrustedTree(inner, user)
    else assertTrusted(inner, await lstat(inner), 'file', user)
  }
}
