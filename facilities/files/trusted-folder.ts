import { lstat, readdir, realpath } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { assertTrusted, assertTrustedParent, currentUser } from './path-trust.js'

/**
 * Checks a folder with {@link assertTrusted}. If it is a symbolic link, the target and all parent
 * folders of the target are checked.
 *
 * @param options.parents whether to check the parent folders in any case
 * @param options.user the user that runs this process. Default: the effective user
 * @throws StarlingError HOME_UNUSABLE; the error of the file system
 */
export async function assertTrustedFolder(
  path: string,
  options: { readonly parents: boolean; readonly user?: number | undefined },
): Promise<void> {
  const user = options.user ?? currentUser()
  const isLink = (await lstat(path)).isSymbolicLink()
  const real = isLink || options.parents ? await realpath(path) : path
  assertTrusted(real, await lstat(real), 'folder', user)
  if (!isLink && !options.parents) return
  for (let folder = real; dirname(folder) !== folder; ) {
    folder = dirname(folder)
    assertTrustedParent(folder, await lstat(folder))
  }
}

/**
 * Checks a folder and everything below it with {@link assertTrusted}, before a library opens files in
 * it. Symbolic links are refused, also those to folders.
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
